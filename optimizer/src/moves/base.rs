//! A smaller variant of the same base.

use super::packages::with_manual_pages;
use super::two_stage::only_stage;
use super::{Input, Move, NotApplicable, Step, system_paths};
use crate::apply::Level;
use crate::bases::BaseImage;
use crate::files::Files;
use crate::sheet::Sheet;
use plimsoll_parser::Edit;
use plimsoll_parser::syntax::Kind;

/// `python:3.11` → `python:3.11-slim`
pub(crate) struct Slimmer;

impl Move for Slimmer {
    fn name(&self) -> &'static str {
        "slimmer-base"
    }
    fn title(&self) -> &'static str {
        "slimmer variant of the base"
    }
    fn explain(&self) -> &'static str {
        "The same distribution and language without compilers, documentation and tools. Relies on the program and the \
         build needing none of them."
    }
    fn level(&self) -> Level {
        Level::Unsafe
    }
    fn apply(&self, input: &Input<'_>) -> Result<Step, NotApplicable> {
        let sheet = Sheet::of(&input.files.dockerfile);
        let last = *sheet.stages().last().ok_or_else(|| NotApplicable::because("the file has no FROM"))?;
        if sheet.stages().len() == 1 {
            only_stage(&sheet)?;
        }
        let Some(Kind::From(from)) = sheet.instruction(last).map(|instruction| &instruction.kind) else {
            return Err(NotApplicable::because("the file has no FROM"));
        };
        let earlier = sheet.stages().into_iter().filter(|stage| *stage < last);
        let stage = earlier.filter_map(|stage| sheet.instruction(stage)).any(|instruction| {
            matches!(&instruction.kind, Kind::From(other) if other.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&from.image)))
        });
        if stage {
            return Err(NotApplicable::because(format!("the last stage stands on the stage {}", from.image.as_str())));
        }
        let base = BaseImage::of(&crate::place::image_of(&sheet.file, &from.image))?;
        let names = base.slimmer();
        if names.is_empty() {
            return Err(NotApplicable::because(format!("no smaller variant of {} is known", base.name())));
        }
        let slim = names
            .iter()
            .find(|name| (input.available)(name))
            .ok_or_else(|| NotApplicable::because(format!("{} cannot be had", names.join(", "))))?;
        let edit = Edit::replace(from.image.range, crate::place::as_written(&from.image, &base, slim.clone()));
        let dockerfile = crate::apply::splice(&input.files.dockerfile, [&edit]);
        let dockerfile = super::health::with_tools(&with_manual_pages(&dockerfile), &base);
        Ok(Step {
            title: Some(format!("{slim} as base")),
            may_change: system_paths(),
            ..Step::of(Files { dockerfile, dockerignore: input.files.dockerignore.clone() })
        })
    }
}
