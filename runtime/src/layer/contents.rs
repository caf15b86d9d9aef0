//! The table of what a layer holds, contents passed over.

use std::io::Read;

use super::decode::decoder;
use super::error::{LayerError, stream_error};
use super::reader::{Limits, TarReader};

/// One entry of a layer. Paths have no leading slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// Something that is there.
    Path {
        /// Where.
        path: String,
        /// Bytes of a file; 0 for hard links and everything else.
        bytes: u64,
        /// Whether it is a directory.
        is_dir: bool,
    },
    /// A whiteout: this path of the layers below is gone.
    Whiteout(String),
    /// An opaque directory: nothing of the layers below is left in it.
    Opaque(String),
}

/// Reads the table of a layer, compressed or not.
pub fn read_contents(stream: impl Read + Send, limits: Limits) -> Result<Vec<Contents>, LayerError> {
    const WHITEOUT: &str = ".wh.";
    const OPAQUE: &str = ".wh..wh..opq";
    let decoded = decoder(stream).map_err(stream_error("read"))?;
    let mut reader = TarReader::new(decoded, limits);
    let mut found = Vec::new();
    while let Some(header) = reader.next()? {
        let name = String::from_utf8_lossy(&header.name);
        let path: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let Some((last, parents)) = path.split_last() else { continue };
        if *last == OPAQUE {
            found.push(Contents::Opaque(parents.join("/")));
        } else if let Some(hidden) = last.strip_prefix(WHITEOUT) {
            let mut hidden_path = parents.to_vec();
            hidden_path.push(hidden);
            found.push(Contents::Whiteout(hidden_path.join("/")));
        } else {
            let regular = matches!(header.kind, b'0' | 0 | b'7');
            let bytes = if regular { header.real_size.max(header.size) } else { 0 };
            found.push(Contents::Path { path: path.join("/"), bytes, is_dir: header.kind == b'5' });
        }
    }
    Ok(found)
}
