//! One file for each kind of report. Output types live here, so that the model can move and the output stay.

pub mod compare;
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
pub mod treemap;
