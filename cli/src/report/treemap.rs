//! Bytes as areas: a squarified treemap, drawn as SVG with no script.
//!
//! The method is Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000): rows are filled along the shorter side for as
//! long as the worst aspect ratio gets better.

use crate::report::html::escape;
use crate::terminal::size;
use std::fmt::Write as _;

/// A part of something and what it is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// What is shown.
    pub name: String,
    /// Bytes of it and everything below.
    pub bytes: u64,
    /// Its parts; what they leave of the bytes is shown as the rest.
    pub children: Vec<Node>,
}

/// Where a rectangle is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// Space of a group's own name above its parts.
const HEADING: f64 = 15.0;
/// Below this many units of the drawing nothing is divided further.
const SMALLEST: f64 = 18.0;
/// Tones that take turns at the top.
const TONES: usize = 6;

impl Node {
    /// Adds bytes at a path, along with every folder on the way.
    pub fn add(&mut self, path: &str, bytes: u64) {
        self.bytes += bytes;
        let mut node = self;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let index = match node.children.binary_search_by(|child| child.name.as_str().cmp(part)) {
                Ok(index) => index,
                Err(index) => {
                    node.children.insert(index, Self { name: part.to_owned(), ..Self::default() });
                    index
                }
            };
            node = &mut node.children[index];
            node.bytes += bytes;
        }
    }

    /// Folds away what lies deeper than `depth` and parts smaller than `share` of all bytes.
    pub fn simplify(&mut self, depth: usize, share: f64) {
        let least = (self.bytes as f64 * share) as u64;
        self.fold(depth, least);
    }

    fn fold(&mut self, depth: usize, least: u64) {
        if depth == 0 {
            self.children.clear();
            return;
        }
        self.children.retain(|child| child.bytes >= least.max(1));
        self.children.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        for child in &mut self.children {
            child.fold(depth - 1, least);
        }
    }
}

/// The treemap of a node as an `<svg>` element of that many units; `full` is what the whole area stands for, so that two
/// maps beside each other can be compared.
pub fn svg(root: &Node, full: u64, width: f64, height: f64) -> String {
    // A smaller whole takes a smaller part of the same area, in the same proportions.
    let scale = if full == 0 { 0.0 } else { (root.bytes as f64 / full as f64).clamp(0.0, 1.0).sqrt() };
    let area = Area { x: 0.0, y: 0.0, width: width * scale, height: height * scale };
    let mut out = format!(
        "<svg class=\"treemap\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{} of {}\">",
        escape(&size(root.bytes)),
        escape(&root.name)
    );
    draw(&mut out, root, area, "", None);
    out.push_str("</svg>");
    out
}

fn draw(out: &mut String, node: &Node, area: Area, path: &str, tone: Option<usize>) {
    let rest = node.bytes.saturating_sub(node.children.iter().map(|child| child.bytes).sum());
    let mut parts: Vec<(&str, u64, Option<&Node>)> =
        node.children.iter().map(|child| (child.name.as_str(), child.bytes, Some(child))).collect();
    if rest > 0 && !parts.is_empty() {
        parts.push(("the rest", rest, None));
    }
    let sizes: Vec<u64> = parts.iter().map(|part| part.1).collect();
    for (index, ((name, bytes, child), area)) in parts.iter().zip(squarify(&sizes, area)).enumerate() {
        let tone = tone.unwrap_or(index % TONES);
        let here = if child.is_some() { format!("{path}/{name}") } else { format!("{path}: {name}") };
        let _ = write!(
            out,
            "<g class=\"t{tone}\"><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{} {}</title></rect>",
            area.x,
            area.y,
            area.width,
            area.height,
            escape(&here),
            escape(&size(*bytes))
        );
        label(out, name, *bytes, area);
        out.push_str("</g>");
        let inner =
            Area { x: area.x + 2.0, y: area.y + HEADING, width: area.width - 4.0, height: area.height - HEADING - 2.0 };
        if let Some(child) = child
            && !child.children.is_empty()
            && inner.width > SMALLEST
            && inner.height > SMALLEST
        {
            draw(out, child, inner, &here, Some(tone));
        }
    }
}

/// The name where it fits, its size where that fits too.
fn label(out: &mut String, name: &str, bytes: u64, area: Area) {
    const CHARACTER: f64 = 6.2;
    if area.height < HEADING - 3.0 {
        return;
    }
    let room = ((area.width - 6.0) / CHARACTER) as usize;
    let with_size = format!("{name} {}", size(bytes));
    let text = if with_size.chars().count() <= room {
        with_size
    } else if name.chars().count() <= room {
        name.to_owned()
    } else {
        return;
    };
    let _ = write!(out, "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", area.x + 3.0, area.y + 11.0, escape(&text));
}

/// Rectangles of these sizes, which are sorted from large to small but for the last, that fill the area.
fn squarify(sizes: &[u64], area: Area) -> Vec<Area> {
    let total: u64 = sizes.iter().sum();
    if total == 0 || area.width <= 0.0 || area.height <= 0.0 {
        return Vec::new();
    }
    let unit = area.width * area.height / total as f64;
    let sizes: Vec<f64> = sizes.iter().map(|bytes| *bytes as f64 * unit).collect();
    let mut out = Vec::with_capacity(sizes.len());
    let mut left = area;
    let mut start = 0;
    while start < sizes.len() {
        let side = left.width.min(left.height);
        let mut end = start + 1;
        while end < sizes.len() && worst(&sizes[start..=end], side) <= worst(&sizes[start..end], side) {
            end += 1;
        }
        left = row(&sizes[start..end], left, &mut out);
        start = end;
    }
    out
}

/// The worst aspect ratio of a row along `side`.
fn worst(row: &[f64], side: f64) -> f64 {
    let sum: f64 = row.iter().sum();
    let largest = row.iter().copied().fold(0.0, f64::max);
    let smallest = row.iter().copied().fold(f64::MAX, f64::min);
    let (side, sum) = (side * side, sum * sum);
    (side * largest / sum).max(sum / (side * smallest))
}

/// Lays one row along the shorter side; gives what is left.
fn row(sizes: &[f64], area: Area, out: &mut Vec<Area>) -> Area {
    let sum: f64 = sizes.iter().sum();
    if area.width >= area.height {
        let width = if area.height > 0.0 { sum / area.height } else { 0.0 };
        let mut y = area.y;
        for size in sizes {
            let height = if width > 0.0 { size / width } else { 0.0 };
            out.push(Area { x: area.x, y, width, height });
            y += height;
        }
        return Area { x: area.x + width, width: (area.width - width).max(0.0), ..area };
    }
    let height = if area.width > 0.0 { sum / area.width } else { 0.0 };
    let mut x = area.x;
    for size in sizes {
        let width = if height > 0.0 { size / height } else { 0.0 };
        out.push(Area { x, y: area.y, width, height });
        x += width;
    }
    Area { y: area.y + height, height: (area.height - height).max(0.0), ..area }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_fill_the_area_and_keep_proportions() {
        let area = Area { x: 0.0, y: 0.0, width: 600.0, height: 400.0 };
        let sizes = [60, 60, 40, 30, 20, 20, 10];
        let made = squarify(&sizes, area);
        assert_eq!(made.len(), sizes.len());
        for (size, part) in sizes.iter().zip(&made) {
            let share = part.width * part.height / (600.0 * 400.0);
            assert!((share - *size as f64 / 240.0).abs() < 1e-9, "{size} has {share}");
            assert!(part.x >= -1e-9 && part.y >= -1e-9);
            assert!(part.x + part.width <= 600.0 + 1e-6 && part.y + part.height <= 400.0 + 1e-6);
            assert!(part.width / part.height < 4.0 && part.height / part.width < 4.0, "{part:?} is a sliver");
        }
    }

    #[test]
    fn bytes_gather_in_every_folder_on_the_way() {
        let mut root = Node::default();
        root.add("/usr/lib/a.so", 70);
        root.add("/usr/bin/b", 20);
        root.add("/etc/c", 10);
        root.simplify(1, 0.15);
        assert_eq!(root.bytes, 100);
        let top: Vec<_> = root.children.iter().map(|node| (node.name.as_str(), node.bytes)).collect();
        assert_eq!(top, [("usr", 90)], "what is below the share is folded into the rest");
        assert!(root.children[0].children.is_empty());
    }

    #[test]
    fn names_from_an_image_cannot_leave_the_drawing() {
        let mut root = Node { name: "image".to_owned(), ..Node::default() };
        root.add("/<script>alert(1)<", 1000);
        let drawn = svg(&root, 1000, 300.0, 200.0);
        assert!(drawn.contains("&lt;script&gt;") && !drawn.contains("<script"), "{drawn}");
    }
}
