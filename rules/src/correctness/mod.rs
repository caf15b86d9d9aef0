//! Builds and containers that do not do what is meant.

pub mod add_for_files;
pub mod apt_get_asks;
pub mod base_platform_mismatch;
pub mod copy_from_itself;
pub mod copy_from_unknown_stage;
pub mod copy_root_of_stage;
pub mod copy_to_unknown_directory;
pub mod duplicate_stage_name;
pub mod env_refers_to_itself;
pub mod expose_with_host;
pub mod forbidden_trigger;
pub mod healthcheck_missing;
pub mod instruction_before_from;
pub mod invalid_default_in_from;
pub mod overridden_instruction;
pub mod port_out_of_range;
pub mod relative_workdir;
pub mod reserved_stage_name;
pub mod several_cmds;
pub mod several_entrypoints;
pub mod several_healthchecks;
pub mod several_sources_no_slash;
pub mod shell_form_command;
pub mod undefined_arg_in_from;
pub mod undefined_variable;
