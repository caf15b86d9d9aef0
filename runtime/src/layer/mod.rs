//! Layers as tar streams: written from a directory or by hand, and applied to one.
//!
//! A layer's bytes are the same whenever its entries are: sorted, owners numeric, times in whole seconds, nothing of the
//! host. Applying one treats it as hostile: no entry reaches outside the directory it is applied to.

mod apply;
pub(crate) mod decode;
mod diff;
mod error;
mod lower;
mod overlay;
mod reader;
mod writer;

pub use apply::{Applied, apply};
pub use decode::{Compression, decoder};
pub use diff::{DiffOptions, Noted, write_diff};
pub use error::LayerError;
pub(crate) use error::stream_error;
pub(crate) use lower::DIRECTORY;
pub use lower::Lower;
pub use overlay::XattrPrefix;
pub use reader::Limits;
pub(crate) use reader::{TarReader, records};
pub use writer::{Entry, Kind, LayerWriter, TarWriter};

#[cfg(test)]
mod tests;
