//! A folder to work in and the program to run there.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// The shipped files, such as `experiments/smoke/starter.farcast`.
pub fn shipped(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder of its own.
pub struct Folder {
    folder: TempDir,
}

/// What a run of the program said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Folder {
    pub fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    /// A folder with one experiment, `it.farcast`.
    pub fn with(text: &str) -> Self {
        let folder = Self::new();
        folder.write("it.farcast", text);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farcast"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("FARCAST_STORE")
            .env_remove("FARCAST_OUT")
            .env_remove("FARCAST_JOBS")
            .env_remove("FARCAST_COLOR")
            .env_remove("FARCAST_PROFILE")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// The folder as the program finds it when it asks where it is.
    pub fn real_path(&self) -> String {
        let path = self.folder.path().canonicalize().unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs the program to its end.
    pub fn farcast(&self, args: &[&str]) -> Said {
        self.farcast_in(args, &[])
    }

    /// The same with these variables in its environment.
    pub fn farcast_in(&self, args: &[&str], env: &[(&str, &str)]) -> Said {
        let Output {
            status,
            stdout,
            stderr,
        } = self
            .command(args)
            .envs(env.iter().copied())
            .output()
            .unwrap();
        Said {
            code: status.code().unwrap_or(-1),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Starts the program and leaves it running, silent.
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// The same within this many bytes of address space.
    pub fn start_within(&self, bytes: u64, args: &[&str]) -> Child {
        let own = self.command(args);
        let script = format!("ulimit -v {} && exec \"$0\" \"$@\"", bytes / 1024);
        let mut command = Command::new("sh");
        command.arg("-c").arg(script);
        command.arg(own.get_program()).args(own.get_args());
        for (name, value) in own.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Runs `it.farcast` with `--json` and gives the answer; fails unless the run is fine.
    pub fn run(&self, args: &[&str]) -> serde_json::Value {
        let mut all = vec!["run", "it.farcast", "--json", "--quiet"];
        all.extend(args);
        let said = self.farcast(&all);
        assert_eq!(said.code, 0, "{said:?}");
        serde_json::from_str(&said.out).unwrap()
    }

    /// The statements that would run, each once, in order.
    pub fn planned(&self, args: &[&str]) -> String {
        let mut all = vec!["plan", "it.farcast", "--json"];
        all.extend(args);
        let said = self.farcast(&all);
        assert_eq!(said.code, 0, "{said:?}");
        let plan: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let mut statements: Vec<&str> = plan["actions"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|action| action["state"] == "run")
            .map(|action| action["statement"].as_str().unwrap())
            .collect();
        statements.dedup();
        statements.join(" ")
    }
}
