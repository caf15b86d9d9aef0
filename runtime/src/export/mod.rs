//! Images out of a store and into it: OCI layouts as directories and archives, and archives as `docker save` writes them.
//!
//! The same image gives the same bytes. Every blob is hashed on its way, in either direction.

mod compress;
mod error;
mod files;
pub(crate) mod load;
mod write;

pub use compress::{Recompressed, compress_layer, recompress};
pub use error::ExportError;
pub(crate) use files::tar_tree;
pub use files::{export_files, export_tar};
pub use load::{Loaded, load};
pub(crate) use write::manifest_for;
pub use write::{ExportOptions, Format, Named, export, export_to};

#[cfg(test)]
mod tests;
