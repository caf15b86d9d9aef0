//! `[budget]`: what a gate lets through.

use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

macro_rules! with_limits {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[$of:meta])* pub $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name {
            $($(#[$of])* pub $field: $kind,)*
            /// Bytes of all layers, uncompressed.
            #[serde(deserialize_with = "super::size")]
            #[schemars(with = "Option<String>")]
            pub max_size: Option<u64>,
            /// Bytes as a registry gets it.
            #[serde(deserialize_with = "super::size")]
            #[schemars(with = "Option<String>")]
            pub max_compressed: Option<u64>,
            /// How much larger than the baseline: `5MB`, or `2%`.
            #[serde(deserialize_with = "growth")]
            #[schemars(with = "Option<String>")]
            pub max_growth: Option<MaxGrowth>,
            /// Layers, the base's with them.
            pub max_layers: Option<usize>,
            /// Bytes that need not be there, brought by layers above the base.
            #[serde(deserialize_with = "super::size")]
            #[schemars(with = "Option<String>")]
            pub max_wasted: Option<u64>,
            /// Bytes of the build context, after .dockerignore.
            #[serde(deserialize_with = "super::size")]
            #[schemars(with = "Option<String>")]
            pub max_context: Option<u64>,
            /// Files that must not be there: patterns as in .dockerignore, `setuid`, `base-setuid`, `secrets`.
            pub forbid: Vec<String>,
            /// Rules that must not find anything in the Dockerfile.
            pub forbid_rules: Vec<String>,
        }

        impl $name {
            /// Its limits.
            pub fn limits(&self) -> Limits {
                Limits {
                    size: self.max_size,
                    compressed: self.max_compressed,
                    growth: self.max_growth,
                    layers: self.max_layers,
                    wasted: self.max_wasted,
                    context: self.max_context,
                    forbid: self.forbid.clone(),
                    forbid_rules: self.forbid_rules.clone(),
                }
            }
        }
    };
}

with_limits! {
    /// `[budget]`
    pub struct Budget {
        /// The file that sizes are compared with, or an image.
        pub baseline: Option<String>,
        /// Single images, where there is more than one or they have limits of their own.
        pub image: Vec<BudgetImage>,
    }
}

with_limits! {
    /// `[[budget.image]]`
    pub struct BudgetImage {
        /// How reports and the baseline call it.
        pub name: String,
        /// An image, as `inspect` takes it.
        pub image: Option<String>,
        /// Or a folder to build.
        pub context: Option<PathBuf>,
        /// Its Dockerfile; with `image`, the one whose lines are named.
        pub file: Option<PathBuf>,
        /// Its stage.
        pub target: Option<String>,
    }
}

/// How much an image may grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxGrowth {
    /// So many bytes.
    Bytes(u64),
    /// So much of what it was, in per cent.
    Percent(f64),
}

impl MaxGrowth {
    /// Reads `5MB` or `2%`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim().strip_suffix('%') {
            Some(number) => match number.trim().parse::<f64>() {
                Ok(number) if number.is_finite() && number >= 0.0 => Ok(Self::Percent(number)),
                _ => Err(format!("`{text}` is no percentage; write it as 2%")),
            },
            None => crate::terminal::parse_size(text).map(Self::Bytes),
        }
    }

    /// In bytes, of an image that had so many.
    pub fn bytes(self, before: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => (before as f64 * percent / 100.0) as u64,
        }
    }
}

fn growth<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<MaxGrowth>, D::Error> {
    match Option::<toml::Value>::deserialize(input)? {
        None => Ok(None),
        Some(toml::Value::String(text)) => MaxGrowth::parse(&text).map(Some).map_err(serde::de::Error::custom),
        Some(other) => {
            Err(serde::de::Error::custom(format!("write it in quotes, with its unit: \"{other}MB\" or \"{other}%\"")))
        }
    }
}

/// What one image is held to.
#[derive(Debug, Default, Clone)]
pub struct Limits {
    /// Bytes, uncompressed.
    pub size: Option<u64>,
    /// Bytes, compressed.
    pub compressed: Option<u64>,
    /// Growth.
    pub growth: Option<MaxGrowth>,
    /// Layers.
    pub layers: Option<usize>,
    /// Bytes that need not be there.
    pub wasted: Option<u64>,
    /// Bytes of the context.
    pub context: Option<u64>,
    /// Files that must not be there.
    pub forbid: Vec<String>,
    /// Rules that must not fire.
    pub forbid_rules: Vec<String>,
}

impl Limits {
    /// These, and where they say nothing, `other`; lists are joined.
    pub fn over(self, other: &Self) -> Self {
        let join = |mut own: Vec<String>, other: &[String]| {
            own.extend(other.iter().filter(|one| !own.contains(one)).cloned().collect::<Vec<_>>());
            own
        };
        Self {
            size: self.size.or(other.size),
            compressed: self.compressed.or(other.compressed),
            growth: self.growth.or(other.growth),
            layers: self.layers.or(other.layers),
            wasted: self.wasted.or(other.wasted),
            context: self.context.or(other.context),
            forbid: join(self.forbid, &other.forbid),
            forbid_rules: join(self.forbid_rules, &other.forbid_rules),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_bytes_or_a_share() {
        assert_eq!(MaxGrowth::parse("5MB"), Ok(MaxGrowth::Bytes(5_000_000)));
        assert_eq!(MaxGrowth::parse("2 %").map(|growth| growth.bytes(1_000)), Ok(20));
        assert!(MaxGrowth::parse("-2%").is_err() && MaxGrowth::parse("much").is_err());
    }

    #[test]
    fn an_image_of_its_own_wins_and_lists_add_up() {
        let config: crate::config::Config = toml::from_str(
            "[budget]\nmax-size = \"10MB\"\nmax-layers = 9\nforbid = [\"setuid\"]\n[[budget.image]]\nname = \"a\"\nimage = \"a:1\"\nmax-size = \"1MB\"\nforbid = [\"*.pem\"]\n",
        )
        .expect("a configuration");
        let limits = config.budget.image[0].limits().over(&config.budget.limits());
        assert_eq!((limits.size, limits.layers), (Some(1_000_000), Some(9)));
        assert_eq!(limits.forbid, ["*.pem", "setuid"]);
        assert!(toml::from_str::<crate::config::Config>("[budget]\nmax-sise = \"1\"\n").is_err());
    }
}
