//! One file for each kind of report. Output types live here, so that the model can move and the output stay.

pub mod compare;
pub mod docker;
pub mod finding;
pub mod gate;
pub mod growth;
pub mod html;
pub mod image;
pub mod ladder;
pub mod lint;
pub mod markdown;
pub mod progress;
pub mod source;
pub mod syntax;
pub mod template;
pub mod treemap;

/// How a report about images is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For a pull request; under 60 kB
    Markdown,
    /// A page that stands alone
    Html,
}
