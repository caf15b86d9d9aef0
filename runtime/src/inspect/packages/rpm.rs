//! Packages of Fedora, Red Hat, SUSE and their kin: rpm's headers, in its SQLite or its own database.

use super::{Kept, Owned, Package, Seen, sqlite};

const SQLITE: [&str; 2] = ["var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite"];
const NDB: [&str; 2] = ["var/lib/rpm/Packages.db", "usr/lib/sysimage/rpm/Packages.db"];

pub(super) fn knows(path: &str) -> bool {
    SQLITE.contains(&path) || NDB.contains(&path)
}

pub(super) fn find(kept: &Kept<'_>, seen: &Seen<'_>, owned: &mut Owned) -> Vec<Package> {
    let mut headers: Vec<Vec<u8>> = Vec::new();
    for bytes in SQLITE.iter().filter_map(|path| kept.get(path)) {
        headers.extend(sqlite::blobs(bytes, "Packages"));
    }
    for bytes in NDB.iter().filter_map(|path| kept.get(path)) {
        headers.extend(ndb(bytes));
    }
    let mut found = Vec::new();
    for header in headers.iter().filter_map(|bytes| Header::read(bytes)) {
        let name = header.text(1000);
        // Keys are kept as packages.
        if name.is_empty() || name == "gpg-pubkey" {
            continue;
        }
        let epoch = header.numbers(1003).first().map(|epoch| format!("{epoch}:")).unwrap_or_default();
        let version = format!("{epoch}{}-{}", header.text(1001), header.text(1002));
        let (folders, names, places) = (header.texts(1118), header.texts(1117), header.numbers(1116));
        let paths = names.iter().zip(places).filter_map(|(name, place)| {
            let folder = folders.get(usize::try_from(place).ok()?)?;
            seen.find(&format!("{folder}{name}"))
        });
        let files = owned.take(paths.collect::<Vec<_>>());
        found.push(seen.package("rpm", name, version, &files));
    }
    found
}

fn big(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn little(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A header: an index of tags into a store of values.
struct Header<'b> {
    index: &'b [u8],
    store: &'b [u8],
}

impl<'b> Header<'b> {
    fn read(bytes: &'b [u8]) -> Option<Self> {
        let entries = usize::try_from(big(bytes, 0)?).ok()?;
        let length = usize::try_from(big(bytes, 4)?).ok()?;
        let index = bytes.get(8..8usize.checked_add(entries.checked_mul(16)?)?)?;
        let store = bytes.get(8 + index.len()..)?;
        Some(Self { index, store: store.get(..length.min(store.len()))? })
    }

    /// Type, values from their offset on, and their number.
    fn tag(&self, tag: u32) -> Option<(u32, &'b [u8], usize)> {
        let entry = self.index.chunks_exact(16).find(|entry| big(entry, 0) == Some(tag))?;
        let offset = usize::try_from(big(entry, 8)?).ok()?;
        Some((big(entry, 4)?, self.store.get(offset..)?, usize::try_from(big(entry, 12)?).ok()?))
    }

    fn texts(&self, tag: u32) -> Vec<String> {
        const TEXT: [u32; 3] = [6, 8, 9];
        let Some((_, values, count)) = self.tag(tag).filter(|(kind, ..)| TEXT.contains(kind)) else {
            return Vec::new();
        };
        values.split(|byte| *byte == 0).take(count).map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    fn text(&self, tag: u32) -> String {
        self.texts(tag).into_iter().next().unwrap_or_default()
    }

    fn numbers(&self, tag: u32) -> Vec<u32> {
        let Some((4, values, count)) = self.tag(tag) else { return Vec::new() };
        values.chunks_exact(4).take(count).filter_map(|value| big(value, 0)).collect()
    }
}

/// The headers in rpm's own database: pages of slots, each leading to a blob.
fn ndb(bytes: &[u8]) -> Vec<Vec<u8>> {
    const SLOT: &[u8] = b"Slot";
    const BLOB: &[u8] = b"BlbS";
    let mut found = Vec::new();
    if !bytes.starts_with(b"RpmP") {
        return found;
    }
    let pages = little(bytes, 12).and_then(|pages| usize::try_from(pages).ok()).unwrap_or(0);
    let slots = bytes.get(..pages.saturating_mul(4096).min(bytes.len())).unwrap_or_default();
    for slot in slots.chunks_exact(16).skip(2).filter(|slot| slot.starts_with(SLOT)) {
        let Some((package, offset)) = little(slot, 4).zip(little(slot, 8)) else { continue };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).saturating_mul(16);
        let Some(blob) = bytes.get(start..).filter(|blob| package != 0 && blob.starts_with(BLOB)) else { continue };
        let length = little(blob, 12).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        found.extend(blob.get(16..16usize.saturating_add(length)).map(<[u8]>::to_vec));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_gives_texts_and_numbers_and_nonsense_gives_nothing() {
        let store = b"bash\x005.2\0\0\0\0\0\0\0\x07";
        let mut bytes = Vec::new();
        for word in [3u32, store.len() as u32, 1000, 6, 0, 1, 1001, 6, 5, 1, 1116, 4, 12, 1] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend(store);
        let header = Header::read(&bytes).expect("a header");
        assert_eq!((header.text(1000), header.text(1001)), ("bash".to_owned(), "5.2".to_owned()));
        assert_eq!(header.numbers(1116), [7]);
        assert_eq!(header.text(1002), "");
        for cut in 0..bytes.len() {
            let _ = Header::read(&bytes[..cut]).map(|header| (header.texts(1000), header.numbers(1116)));
        }
        assert!(ndb(b"RpmP").is_empty() && ndb(&[0xff; 9000]).is_empty());
    }
}
