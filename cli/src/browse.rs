//! Walking through an image by keys: layers on the left, folders on the right.

use crate::report::image::{ImageReport, Tree, of_layer, of_visible, short};
use crate::terminal::size;
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_runtime::inspect::Inspected;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, List, ListItem, ListState, Paragraph};
use std::io::IsTerminal;

/// What is shown.
pub struct Browser<'r> {
    report: &'r ImageReport,
    /// The whole image, then each layer.
    trees: Vec<Tree>,
    which: usize,
    /// Rows chosen on the way down, the last in the folder that is shown.
    trail: Vec<usize>,
    in_layers: bool,
}

impl<'r> Browser<'r> {
    /// At the root of the whole image.
    pub fn new(report: &'r ImageReport, found: &Inspected) -> Self {
        let mut trees = vec![of_visible(found, 0)];
        trees.extend(found.layers.iter().map(|layer| of_layer(layer, 0)));
        Self { report, trees, which: 0, trail: vec![0], in_layers: true }
    }

    fn folder(&self) -> Option<&Tree> {
        let (_, way) = self.trail.split_last()?;
        way.iter().try_fold(self.trees.get(self.which)?, |tree, at| tree.children.get(*at))
    }

    fn path(&self) -> String {
        let mut path = String::new();
        let mut tree = self.trees.get(self.which);
        for at in self.trail.iter().take(self.trail.len().saturating_sub(1)) {
            tree = tree.and_then(|tree| tree.children.get(*at));
            path.push('/');
            path.push_str(tree.map_or("", |tree| &tree.name));
        }
        if path.is_empty() { "/".to_owned() } else { path }
    }

    /// What a key does; false ends it.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let rows = if self.in_layers { self.trees.len() } else { self.folder().map_or(0, |tree| tree.children.len()) };
        let last = rows.saturating_sub(1);
        let row = if self.in_layers { &mut self.which } else { self.trail.last_mut().unwrap_or(&mut self.which) };
        let before = *row;
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
            KeyCode::Tab => self.in_layers = !self.in_layers,
            KeyCode::Down | KeyCode::Char('j') => *row = (*row + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => *row = row.saturating_sub(1),
            KeyCode::PageDown => *row = (*row + 20).min(last),
            KeyCode::PageUp => *row = row.saturating_sub(20),
            KeyCode::Home | KeyCode::Char('g') => *row = 0,
            KeyCode::End | KeyCode::Char('G') => *row = last,
            KeyCode::Right | KeyCode::Enter | KeyCode::Char('l') if self.in_layers => self.in_layers = false,
            KeyCode::Right | KeyCode::Enter | KeyCode::Char('l') => {
                let chosen = self.trail.last().copied().unwrap_or(0);
                let opens = self.folder().and_then(|tree| tree.children.get(chosen));
                if opens.is_some_and(|tree| !tree.children.is_empty()) {
                    self.trail.push(0);
                }
            }
            KeyCode::Left | KeyCode::Backspace | KeyCode::Char('h') => {
                if self.trail.len() > 1 && !self.in_layers {
                    self.trail.pop();
                } else {
                    self.in_layers = true;
                }
            }
            _ => {}
        }
        if self.in_layers && self.which != before {
            self.trail = vec![0];
        }
        true
    }

    /// Draws it.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let [body, foot] = Layout::vertical([Constraint::Min(3), Constraint::Length(2)]).areas(frame.area());
        let [left, right] = Layout::horizontal([Constraint::Percentage(40), Constraint::Percentage(60)]).areas(body);
        let chosen = Style::new().add_modifier(Modifier::REVERSED);
        let mut rows = vec![ListItem::new(format!("{:>9}  all layers", size(self.report.visible.bytes)))];
        for layer in &self.report.layers {
            let place = layer.line.map_or_else(String::new, |line| format!("{line}: "));
            let row = format!("{:>9}  {place}{}", size(layer.size), layer.instruction);
            rows.push(if layer.base { ListItem::new(row.dim()) } else { ListItem::new(row) });
        }
        let block = |title: String, here: bool| {
            let block = Block::bordered().title(title);
            if here { block.border_style(Style::new().bold()) } else { block.border_style(Style::new().dim()) }
        };
        let mut state = ListState::default().with_selected(Some(self.which));
        let title = short(&self.report.image, 40);
        let list = List::new(rows).block(block(title, self.in_layers)).highlight_style(chosen);
        frame.render_stateful_widget(list, left, &mut state);
        let folder = self.folder();
        let rows = folder.map(|tree| tree.children.as_slice()).unwrap_or_default().iter().map(|tree| {
            let slash = if tree.children.is_empty() { "" } else { "/" };
            ListItem::new(format!("{:>9}  {}{slash}", size(tree.bytes), tree.name))
        });
        let mut state = ListState::default().with_selected(self.trail.last().copied());
        let title = format!("{}  {}", self.path(), size(folder.map_or(0, |tree| tree.bytes)));
        let list = List::new(rows).block(block(title, !self.in_layers)).highlight_style(chosen);
        frame.render_stateful_widget(list, right, &mut state);
        frame.render_widget(Paragraph::new(self.foot()), foot);
    }

    /// What is wrong with the chosen layer, and the keys.
    fn foot(&self) -> Vec<Line<'static>> {
        let blamed = self.report.causes.iter().filter(|cause| cause.blame_layer == self.which);
        let said = match (self.which, blamed.max_by_key(|cause| cause.bytes)) {
            (0, _) => {
                format!("wasted {}, there twice {}", size(self.report.wasted_bytes), size(self.report.duplicate_bytes))
            }
            (_, Some(cause)) => format!("{} {}: {}", size(cause.bytes), cause.how, cause.remedy.advice),
            (_, None) => String::new(),
        };
        vec![Line::from(said).yellow(), Line::from("arrows or hjkl walk, tab changes sides, q ends").dim()]
    }
}

/// Walks until the user has enough.
pub fn browse(report: &ImageReport, found: &Inspected) -> Result<()> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(miette!(help = "`--format text` needs none", "failed to open a terminal for --tui"));
    }
    let mut browser = Browser::new(report, found);
    let mut terminal = ratatui::try_init().into_diagnostic()?;
    let walked = loop {
        if let Err(error) = terminal.draw(|frame| browser.draw(frame)) {
            break Err(error);
        }
        match event::read() {
            Ok(Event::Key(key)) if key.kind == KeyEventKind::Press && !browser.key(key) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    ratatui::restore();
    walked.into_diagnostic()
}
