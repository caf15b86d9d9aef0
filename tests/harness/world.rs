//! A folder of the test's own with a store, contexts and an account, gone when the test ends.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::{Account, Outcome, binary, fixture, repository, subordinate_ids, tool, user_namespaces};

/// Everything one test touches.
#[derive(Debug)]
pub struct World {
    account: Account,
    dir: TempDir,
    program: PathBuf,
    store: PathBuf,
    id_map: Option<&'static str>,
}

impl World {
    /// For whoever runs the tests, with an empty store.
    pub fn new() -> Self {
        Self::of(Account::current())
    }

    /// For `account`, with an empty store.
    pub fn of(account: Account) -> Self {
        let dir = TempDir::with_prefix("plimsoll-").expect("the temporary folder can be written");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("own folder");
        account.give(dir.path());
        // The repository may lie where another account does not get to.
        let mut program = binary().to_owned();
        if account != Account::current() {
            program = dir.path().join("plimsoll");
            std::fs::copy(binary(), &program).expect("the program can be copied");
        }
        let store = dir.path().join("store");
        Self { account, dir, program, store, id_map: None }
    }

    /// A world with busybox in its store, or why this account cannot start containers.
    pub fn with_busybox() -> Result<Self, String> {
        if !tool("mmdebstrap") {
            return Err("mmdebstrap is not installed".to_owned());
        }
        user_namespaces(&Account::current())?;
        let world = Self::new();
        world.bases(&["busybox:latest"]);
        Ok(world)
    }

    /// Without subordinate IDs, whether the account has them or not.
    pub fn with_one_id(mut self) -> Self {
        self.id_map = Some("single");
        self
    }

    /// Whether this world can be lived in on this machine; a reason if not.
    pub fn is_possible(&self) -> Result<(), String> {
        user_namespaces(&self.account)?;
        if self.id_map.is_some() { Ok(()) } else { subordinate_ids(&self.account) }
    }

    /// Keeps to a store that outlives the test, so that what is dear is built once a machine:
    /// `PLIMSOLL_TEST_STORE`, or one in the cache folder of the repository.
    pub fn with_kept_store(mut self) -> Self {
        self.store = match std::env::var_os("PLIMSOLL_TEST_STORE") {
            Some(path) => PathBuf::from(path).join(self.account.name()),
            None if self.account == Account::current() => repository().join(".cache/stores").join(self.account.name()),
            None => std::env::temp_dir().join(format!("plimsoll-store-{}", self.account.name())),
        };
        if !self.store.exists() {
            std::fs::create_dir_all(&self.store).expect("the store's folder can be made");
            self.account.give(&self.store);
        }
        self
    }

    /// Whom it belongs to.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Its store.
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.path().join(path);
        let mut folders: Vec<&Path> = file.ancestors().skip(1).take_while(|folder| *folder != self.path()).collect();
        folders.reverse();
        for folder in folders {
            if !folder.exists() {
                std::fs::create_dir(folder).expect("own folder");
                self.account.give(folder);
            }
        }
        std::fs::write(&file, content).expect("own folder");
        self.account.give(&file);
        file
    }

    /// A copy of `fixtures/apps/NAME`, with the litter of a working copy where the program has some.
    pub fn app(&self, name: &str) -> PathBuf {
        let to = self.path().join(name);
        let prepared = Outcome::of(Command::new(fixture("apps/prepare")).arg(name).arg(&to));
        prepared.expect(0);
        self.give_all(&to);
        to
    }

    /// A copy of a folder under this name.
    pub fn copy(&self, from: &Path, name: &str) -> PathBuf {
        let to = self.path().join(name);
        Outcome::of(Command::new("cp").arg("-r").arg(from).arg(&to)).expect(0);
        self.give_all(&to);
        to
    }

    /// Makes sure that the store has these base images.
    pub fn bases(&self, names: &[&str]) {
        // Made once by whoever runs the tests; any account only loads them.
        let cache = std::env::var_os("PLIMSOLL_BASES").map_or_else(|| repository().join(".cache/bases"), PathBuf::from);
        let mut make = Command::new(fixture("bases/make"));
        make.args(["--no-load"]).args(names).env("PLIMSOLL_BIN", binary());
        Outcome::of(&mut make).expect(0);
        for name in names {
            let kept = cache.join(name.replace([':', '/'], "-"));
            let mut layout = kept.clone();
            if self.account != Account::current() {
                layout = self.path().join("layout");
                Outcome::of(Command::new("cp").arg("-r").arg(&kept).arg(&layout)).expect(0);
                self.give_all(&layout);
            }
            self.run(&["load", "--name", name, "--input", &layout.to_string_lossy()]).expect(0);
            if layout != kept {
                std::fs::remove_dir_all(&layout).expect("own folder");
            }
        }
    }

    /// The command with its store, ready for more arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.path()).env("PLIMSOLL_STORE", &self.store);
        command.env("NO_COLOR", "1").env_remove("CI").env_remove("PLIMSOLL_CONFIG");
        match self.id_map {
            Some(map) => command.env("PLIMSOLL_ID_MAP", map),
            None => command.env_remove("PLIMSOLL_ID_MAP"),
        };
        // Behind a proxy that intercepts TLS, steps of a build trust what this machine trusts.
        if std::env::var_os("PLIMSOLL_CA_BUNDLE").is_none()
            && let Some(bundle) = std::env::var_os("SSL_CERT_FILE")
        {
            command.env("PLIMSOLL_CA_BUNDLE", bundle);
        }
        self.account.apply(&mut command);
        command
    }

    /// Another program in the surroundings of [`command`](Self::command).
    pub fn program(&self, name: &str) -> Command {
        let mut other = Command::new(name);
        for (name, value) in self.command().get_envs() {
            match value {
                Some(value) => other.env(name, value),
                None => other.env_remove(name),
            };
        }
        other.current_dir(self.path());
        other
    }

    /// Runs `plimsoll ARGS`.
    pub fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.command().args(args))
    }

    fn give_all(&self, path: &Path) {
        if self.account != Account::current() {
            let owner = format!("{}:", self.account.name());
            Outcome::of(Command::new("chown").args(["-Rh", &owner]).arg(path)).expect(0);
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Files of subordinate IDs are removed by whoever owns those.
        if !Account::current().is_root() && self.dir.path().join("store").exists() {
            let mut remove = Command::new("unshare");
            remove.args(["--user", "--map-auto", "--map-root-user", "rm", "-rf"]).arg(self.dir.path().join("store"));
            let _ = remove.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}
