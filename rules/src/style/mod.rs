//! Form.

pub mod cd_in_run;
pub mod command_not_last;
pub mod description_format;
pub mod empty_continuation;
pub mod expose_protocol_casing;
pub mod from_as_casing;
pub mod inline_ignore;
pub mod instruction_casing;
pub mod label_empty;
pub mod label_key_invalid;
pub mod label_missing;
pub mod label_no_date;
pub mod label_no_email;
pub mod label_no_hash;
pub mod label_no_license;
pub mod label_no_url;
pub mod label_no_version;
pub mod label_unknown;
pub mod labels_apart;
pub mod legacy_key_value;
pub mod maintainer;
pub mod redundant_target_platform;
pub mod stage_name_casing;
pub mod wget_progress;
