//! RUN, CMD, ENTRYPOINT and SHELL (Dockerfile reference, "RUN", "CMD", "ENTRYPOINT", "SHELL").

use super::flags::{self, Takes};
use super::{Line, Reader, json};
use crate::csv;
use crate::quote::quote;
use crate::suggest;
use crate::syntax::{Command, Device, Flag, Kind, Mount, Run, RunOptions};
use crate::text::{Text, TextRange};
use std::borrow::Cow;

const FLAGS: [(&str, Takes); 4] =
    [("mount", Takes::Values), ("network", Takes::Value), ("security", Takes::Value), ("device", Takes::Values)];

/// `RUN [--mount=…] [--network=…] [--security=…] [--device=…] command`
pub(super) fn run<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Kind<'s>> {
    let command = line.command(line.args.clone(), reader)?;
    let flags = line.flags;
    if flags.is_empty() {
        return Some(Kind::Run(Run { command, options: None }));
    }
    if !flags::check(line, &FLAGS, reader) {
        return None;
    }
    let devices = flags::values(flags, "device");
    let devices_fine = devices.iter().filter(|device| !device_is_fine(device, reader)).count() == 0;
    let mounts: Vec<_> =
        flags.iter().filter(|flag| flag.name.value == "mount").map(|flag| mount(flag, reader)).collect();
    let mounts: Option<Vec<_>> = mounts.into_iter().collect();
    let network = flags::value(flags, "network");
    let security = flags::value(flags, "security");
    let network_fine = one_of(network.as_ref(), &["default", "none", "host"], reader, "network-mode", |value| {
        format!("invalid network mode {value}")
    });
    let security_fine = one_of(security.as_ref(), &["insecure", "sandbox"], reader, "security-mode", |value| {
        format!("security {value} is not valid")
    });
    let mounts = mounts.filter(|_| devices_fine && network_fine && security_fine)?;
    let options = Some(Box::new(RunOptions { mounts, network, security, devices }));
    Some(Kind::Run(Run { command, options }))
}

fn one_of(
    value: Option<&Text<'_>>,
    known: &[&str],
    reader: &mut Reader<'_>,
    code: &'static str,
    message: impl Fn(&str) -> String,
) -> bool {
    let Some(value) = value.filter(|value| !known.contains(&value.as_str())) else { return true };
    let help = format!("write one of {}", known.join(", "));
    reader.wrong(code, value.range, message(&quote(value)), &help);
    false
}

/// The options of a `--mount`. What they mean is looked at when variables are known; only `from` is not expanded.
fn mount<'s>(flag: &Flag<'s>, reader: &mut Reader<'_>) -> Option<Mount<'s>> {
    let value = flag.value.as_ref()?;
    let fields = match csv::fields(value) {
        Ok(fields) => fields,
        Err(message) => {
            let message = format!("failed to parse csv mounts: {message}");
            reader.wrong("mount-options", value.range, message, "write key=value,key=value");
            return None;
        }
    };
    let mut options = Vec::with_capacity(fields.len());
    let mut fine = true;
    for field in fields {
        let (key, option) = match field.as_str().find('=') {
            Some(at) => (csv::part(&field, 0..at), Some(csv::part(&field, at + 1..field.len()))),
            None => (field, None),
        };
        let key = lower(key);
        if let Some(value) = option.as_ref().filter(|value| key.value == "from" && has_variable(value)) {
            let message = "'from' doesn't support variable expansion, define alias stage instead";
            let help = "name a stage before this one: FROM with the variable AS name";
            reader.wrong("mount-from-variable", value.range, message, help);
            fine = false;
        }
        let same = |(earlier, _): &(Text<'_>, _)| earlier.value == key.value;
        if options.len() < MANY_OPTIONS && options.iter().any(same) {
            let message = format!("{} is set twice in one mount, and the last one counts", key.value);
            reader.warn("mount-option-repeated", key.range, message, "keep one of the two");
        }
        options.push((key, option));
    }
    fine.then_some(Mount { options, range: flag.range })
}

/// No mount has so many options; beyond this, repeated ones are not looked for.
const MANY_OPTIONS: usize = 32;

/// A `$` with something after it.
fn has_variable(value: &str) -> bool {
    value.find('$').is_some_and(|at| at + 1 < value.len())
}

fn lower(text: Text<'_>) -> Text<'_> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) || !text.is_ascii() {
        return Text { value: Cow::Owned(text.to_lowercase()), range: text.range };
    }
    text
}

fn device_is_fine(value: &Text<'_>, reader: &mut Reader<'_>) -> bool {
    let Err((range, message)) = device(value) else { return true };
    reader.wrong("device-options", range, message, "write --device=name, or --device=name,required");
    false
}

/// `--device=name[,required]`
pub(crate) fn device(value: &Text<'_>) -> Result<Device, (TextRange, String)> {
    let fields = csv::fields(value).map_err(|why| (value.range, format!("failed to parse csv devices: {why}")))?;
    let mut device = Device { name: String::new(), required: false };
    for field in fields {
        let refuse = |message: String| Err((field.range, message));
        let Some((key, setting)) = field.split_once('=') else {
            if field.eq_ignore_ascii_case("required") {
                device.required = true;
            } else if device.name.is_empty() {
                device.name = field.value.to_string();
            } else {
                return refuse(format!("invalid field '{}' must be a key=value pair", field.value));
            }
            continue;
        };
        match key.to_lowercase().as_str() {
            "name" if device.name.is_empty() => device.name = setting.to_owned(),
            "name" => return refuse(format!("device name already set to {}", device.name)),
            "required" => match go_bool(setting) {
                Some(required) => device.required = required,
                None => return refuse(format!("invalid value for required: {setting}")),
            },
            _ if device.name.is_empty() => device.name = field.value.to_string(),
            key => {
                let meant = suggest::exact(key, ["name", "required"]);
                let meant = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
                return refuse(format!("unexpected key '{key}' in '{}'{meant}", field.value));
            }
        }
    }
    Ok(device)
}

/// A truth value as BuildKit reads it in options.
pub(crate) fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// `CMD …` and `ENTRYPOINT …`
pub(super) fn command<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Command<'s>> {
    let command = line.command(line.args.clone(), reader)?;
    flags::check(line, &[], reader).then_some(command)
}

/// `SHELL ["program", …]`
pub(super) fn shell<'s>(line: &Line<'_, 's>, reader: &mut Reader<'_>) -> Option<Kind<'s>> {
    let array = json::array(line.logical(), line.args.clone(), reader)?;
    if !flags::check(line, &[], reader) {
        return None;
    }
    match array {
        json::Array::Words { words, .. } if !words.is_empty() => Some(Kind::Shell(words)),
        json::Array::No if !line.args.is_empty() => {
            let message = "SHELL requires the arguments to be in JSON form";
            let help = "write SHELL [\"/bin/sh\", \"-c\"]: double quotes, commas, and backslashes twice";
            reader.wrong("shell-not-json", line.place(), message, help);
            None
        }
        _ => line.missing_argument(reader),
    }
}
