//! `add-without-checksum`

use crate::prelude::{Diagnostic, Fixable, Group, Model, Rule, Severity, unquoted};

crate::declare_rule! {
    /// ADD fetches from the network and does not compare the digest.
    ///
    /// `--checksum=sha256:…` makes sure that it is the same file tomorrow.
    ///
    /// ```dockerfile,bad
    /// FROM debian:12
    /// ADD https://example.org/a.tar.gz /srv/
    /// ```
    /// ```dockerfile,good
    /// FROM debian:12
    /// ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://example.org/a.tar.gz /srv/
    /// ```
    pub AddWithoutChecksum {
        id: "add-without-checksum", aliases: &[], since: "0.1.0",
        group: Group::Security, severity: Severity::Info, fixable: Fixable::No,
    }
}

impl Rule for AddWithoutChecksum {
    fn check(&self, model: &Model<'_>, found: &mut Vec<Diagnostic>) {
        for copy in model.copies().iter().filter(|copy| copy.add && copy.syntax.checksum.is_none()) {
            let remote = |source: &&plimsoll_parser::Text<'_>| {
                let source = unquoted(source);
                (source.starts_with("http://") || source.starts_with("https://"))
                    && !source.ends_with(".git")
                    && !source.contains(".git#")
            };
            if let Some(source) = copy.syntax.sources.iter().find(remote) {
                found.push(Diagnostic::new(Self::META.id, source.range, "nothing says which file this should be"));
            }
        }
    }
}
