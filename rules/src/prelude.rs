//! What nearly every rule needs.

pub(crate) use crate::options::{LabelKind, Options};
pub(crate) use crate::rule::{Fixable, Group, Rule};
pub(crate) use crate::words::{expand, has_variable, unquoted};
pub(crate) use plimsoll_analyzer::diagnostic::{Diagnostic, Fix, Severity};
pub(crate) use plimsoll_analyzer::model::{Model, Run, Step};
pub(crate) use plimsoll_analyzer::stages::Base;
pub(crate) use plimsoll_parser::syntax::{self, Command, Kind};
pub(crate) use plimsoll_parser::{Edit, TextRange};
