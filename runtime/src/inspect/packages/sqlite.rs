//! The blobs of one table of an SQLite database, read-only: as much of the format as rpm's database needs.

/// The last column of every row of a table whose last column is a blob. A damaged file gives what could be read.
pub(super) fn blobs(file: &[u8], table: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let Some(database) = Database::open(file) else { return found };
    let mut root = None;
    database.rows(1, 0, &mut |record| {
        let columns = columns(&record);
        let text = |at: usize| columns.get(at).map(|column| String::from_utf8_lossy(column.bytes).into_owned());
        if text(0).as_deref() == Some("table") && text(1).as_deref() == Some(table) {
            root = columns.get(3).and_then(Column::number);
        }
    });
    if let Some(root) = root {
        database.rows(root, 0, &mut |record| {
            found.extend(columns(&record).last().filter(|column| column.is_blob()).map(|column| column.bytes.to_vec()));
        });
    }
    found
}

struct Database<'f> {
    file: &'f [u8],
    page: usize,
    usable: usize,
}

impl<'f> Database<'f> {
    fn open(file: &'f [u8]) -> Option<Self> {
        if !file.starts_with(b"SQLite format 3\0") {
            return None;
        }
        let size = usize::from(u16::from_be_bytes(file.get(16..18)?.try_into().ok()?));
        let page = if size == 1 { 65536 } else { size };
        let usable = page.checked_sub(usize::from(*file.get(20)?))?;
        (usable >= 480 && page.is_power_of_two()).then_some(Self { file, page, usable })
    }

    /// A page by its number, and where its header begins.
    fn page(&self, number: usize) -> Option<(&'f [u8], usize)> {
        let start = number.checked_sub(1)?.checked_mul(self.page)?;
        let page = self.file.get(start..start.checked_add(self.page)?)?;
        Some((page, if number == 1 { 100 } else { 0 }))
    }

    /// The records of a table, in order.
    fn rows(&self, number: usize, depth: usize, each: &mut dyn FnMut(Vec<u8>)) {
        let Some((page, head)) = self.page(number).filter(|_| depth < 32) else { return };
        let Some(header) = page.get(head..) else { return };
        let leaf = match header.first() {
            Some(13) => true,
            Some(5) => false,
            _ => return,
        };
        let cells = be16(header, 3).unwrap_or(0);
        let first = if leaf { 8 } else { 12 };
        for cell in 0..cells {
            let Some(at) = be16(header, first + 2 * cell) else { return };
            let Some(cell) = page.get(at..) else { continue };
            if leaf {
                if let Some(record) = self.record(cell) {
                    each(record);
                }
            } else if let Some(child) = be32(cell, 0) {
                self.rows(child, depth + 1, each);
            }
        }
        if !leaf && let Some(last) = be32(header, 8) {
            self.rows(last, depth + 1, each);
        }
    }

    /// A cell's payload, with what overflows into pages of its own.
    fn record(&self, cell: &[u8]) -> Option<Vec<u8>> {
        let (length, at) = varint(cell, 0)?;
        let (_, at) = varint(cell, at)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= self.file.len())?;
        let most = self.usable - 35;
        if length <= most {
            return cell.get(at..at + length).map(<[u8]>::to_vec);
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let local = least + (length - least) % (self.usable - 4);
        let local = if local <= most { local } else { least };
        let mut record = cell.get(at..at + local)?.to_vec();
        let mut next = be32(cell, at + local)?;
        while record.len() < length {
            let (page, _) = self.page(next)?;
            next = be32(page, 0)?;
            let part = (length - record.len()).min(self.usable - 4);
            record.extend_from_slice(page.get(4..4 + part)?);
        }
        Some(record)
    }
}

struct Column<'r> {
    kind: u64,
    bytes: &'r [u8],
}

impl Column<'_> {
    fn is_blob(&self) -> bool {
        self.kind >= 12 && self.kind.is_multiple_of(2)
    }

    fn number(&self) -> Option<usize> {
        match self.kind {
            8 => Some(0),
            9 => Some(1),
            1..=6 => {
                self.bytes.iter().try_fold(0usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))
            }
            _ => None,
        }
    }
}

fn columns(record: &[u8]) -> Vec<Column<'_>> {
    let mut found = Vec::new();
    let Some((head, mut at)) = varint(record, 0) else { return found };
    let head = usize::try_from(head).unwrap_or(usize::MAX);
    let mut body = head;
    while at < head {
        let Some((kind, next)) = varint(record, at) else { break };
        at = next;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => break,
            kind => (kind - 12) / 2,
        };
        let end = usize::try_from(length).ok().and_then(|length| body.checked_add(length));
        let Some((end, bytes)) = end.and_then(|end| Some((end, record.get(body..end)?))) else { break };
        found.push(Column { kind, bytes });
        body = end;
    }
    found
}

fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value: u64 = 0;
    for place in 0..8 {
        let byte = *bytes.get(at + place)?;
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, at + place + 1));
        }
    }
    Some((value << 8 | u64::from(*bytes.get(at + 8)?), at + 9))
}

fn be16(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
}

fn be32(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length() {
        assert_eq!(varint(&[0x7f], 0), Some((0x7f, 1)));
        assert_eq!(varint(&[0x81, 0x00], 0), Some((128, 2)));
        assert_eq!(varint(&[0xff; 9], 0), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0x80], 0), None);
    }

    #[test]
    fn what_is_no_database_holds_nothing() {
        assert!(blobs(b"", "Packages").is_empty());
        let mut file = b"SQLite format 3\0\x10\x00\x01\x01\x00".to_vec();
        file.resize(8192, 0xff);
        assert!(blobs(&file, "Packages").is_empty());
    }
}
