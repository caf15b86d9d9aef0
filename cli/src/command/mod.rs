//! One file for each command: its arguments, what it joins together, and its exit code.

pub mod build;
pub mod build_args;
pub mod builder;
pub mod compare;
pub mod completions;
pub mod config;
pub mod containers;
pub mod doctor;
pub mod gate;
pub mod history;
pub mod image;
pub mod images;
pub mod inspect;
pub mod lint;
pub mod login;
pub mod man;
pub mod optimize;
pub mod parse;
pub mod rules;
pub mod run;
pub mod system;
pub mod verify;
