//! Packages: published as git repositories and archives, used by other projects.

use std::fs;
use std::process::{Command, Stdio};

use expect_test::expect;

use crate::farcast::{Folder, Said};
use crate::git_server::serve;

/// The package `ocean`: a definition, data of its own, and a file beside.
const LIB: &str = "\
use \"parts/depths.farcast\" as depths
# The rows near the surface.
define near(rows, limit = 100) = where(rows, x < limit)
data casts = csv(\"data/casts.csv\")
";

const EXPERIMENT: &str = "\
use \"@ocean\" as ocean
parent net = mlp(ocean.near(ocean.casts), inputs: [x], target: y, hidden: [3], epochs: 2, members: 2)
score skill = compare(net, on: ocean.casts)
";

/// A folder for a project, a cache and repositories; nothing of the user's is read.
struct Place {
    folder: Folder,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: Folder::new(),
        }
    }

    fn git(&self, repository: &str, args: &[&str]) -> String {
        let out = Command::new("git")
            .args([
                "-c",
                "user.name=A",
                "-c",
                "user.email=a@example.org",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(args)
            .current_dir(self.folder.path(repository))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// A repository with these files, tagged; its commit.
    fn publish(&self, name: &str, tag: &str, files: &[(&str, &str)]) -> String {
        let repository = format!("remote/{name}");
        if !self.folder.path(&repository).exists() {
            fs::create_dir_all(self.folder.path(&repository)).unwrap();
            self.git(&repository, &["init", "--quiet"]);
        }
        for (file, text) in files {
            self.folder.write(&format!("{repository}/{file}"), text);
        }
        self.git(&repository, &["add", "--all"]);
        self.git(
            &repository,
            &["commit", "--quiet", "--allow-empty", "--message", tag],
        );
        self.git(&repository, &["tag", "--force", tag]);
        self.git(&repository, &["rev-parse", "HEAD"])
    }

    fn ocean(&self) -> String {
        let rows: String = (0..200)
            .map(|row| format!("{row},{}\n", row * row % 17))
            .collect();
        let manifest = "[package]\nname = \"ocean\"\nversion = \"1.2.0\"\nlicense = \"MIT\"\n";
        self.publish(
            "ocean",
            "v1.2.0",
            &[
                ("farcast.toml", manifest),
                ("lib.farcast", LIB),
                ("parts/depths.farcast", "param limit: Int = 3\n"),
                ("data/casts.csv", &format!("x,y\n{rows}")),
            ],
        )
    }

    fn url(&self, name: &str) -> String {
        format!("file://{}/remote/{name}", self.folder.real_path())
    }

    /// The program in a project, with the cache of this place.
    fn farcast(&self, project: &str, args: &[&str]) -> Said {
        fs::create_dir_all(self.folder.path(project)).unwrap();
        let mut command = self.folder.command(args);
        command
            .current_dir(self.folder.path(project))
            .env("XDG_CACHE_HOME", self.folder.path("cache"))
            .env("HOME", self.folder.path("home"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        let out = command.output().unwrap();
        let text = |bytes: Vec<u8>| {
            let here = self.folder.real_path();
            String::from_utf8(bytes).unwrap().replace(&here, "HERE")
        };
        Said {
            code: out.status.code().unwrap_or(-1),
            out: text(out.stdout),
            err: text(out.stderr),
        }
    }

    fn fine(&self, project: &str, args: &[&str]) -> Said {
        let said = self.farcast(project, args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said
    }

    /// What a command complains of, and that it does.
    fn refusal(&self, project: &str, args: &[&str]) -> String {
        let said = self.farcast(project, args);
        assert_eq!(said.code, 1, "{args:?}: {said:?}");
        said.err
    }

    /// Nothing of the repositories is used from here on.
    fn cut_off(&self) {
        fs::rename(self.folder.path("remote"), self.folder.path("away")).unwrap();
    }
}

#[test]
fn a_package_is_added_used_and_rerun_without_its_repository() {
    let place = Place::new();
    let commit = place.ocean();
    place.folder.write("storms/storms.farcast", EXPERIMENT);
    let refused = place.refusal("storms", &["check", "storms.farcast"]);
    assert!(
        refused.contains("there is no `farcast.toml`, which names the packages"),
        "{refused}"
    );
    let url = place.url("ocean");
    let added = place.fine("storms", &["add", "ocean", "--git", &url]);
    assert!(
        added.err.contains("`use \"@ocean\" as ocean` brings it in"),
        "{}",
        added.err
    );
    let manifest = format!("[dependencies]\nocean = {{ git = \"{url}\", tag = \"v1.2.0\" }}\n");
    assert_eq!(place.folder.read("storms/farcast.toml"), manifest);
    let lock = place.folder.read("storms/farcast.lock");
    assert!(lock.contains(&format!("commit = \"{commit}\"")), "{lock}");
    assert!(lock.contains("tree = \"blake3:"), "{lock}");
    place.cut_off();
    place.fine("storms", &["check", "storms.farcast"]);
    place.fine("storms", &["run", "storms.farcast", "--quiet"]);
    let run = place.folder.read("storms/out/storms/run.json");
    assert!(run.contains("\"path\": \"@ocean/lib.farcast\""), "{run}");
    assert!(
        run.contains("\"path\": \"@ocean/parts/depths.farcast\""),
        "{run}"
    );
    assert!(run.contains("\"@ocean/data/casts.csv\": \""), "{run}");
    assert!(!run.contains("/cache/farcast"), "{run}");
    let show = place.fine("storms", &["show", "last"]).out;
    assert!(show.contains("@ocean 1.2.0  "), "{show}");
    // The lock is gone, the run knows which tree it used.
    fs::remove_file(place.folder.path("storms/farcast.lock")).unwrap();
    let again = place.fine("storms", &["rerun", "last", "--fresh"]);
    assert!(
        again.err.contains("the scores are byte-identical"),
        "{}",
        again.err
    );
}

#[test]
fn the_lock_decides_and_the_flags_keep_it() {
    let place = Place::new();
    place.ocean();
    let url = place.url("ocean");
    let manifest = format!("[dependencies]\nocean = {{ git = \"{url}\", tag = \"v1.2.0\" }}\n");
    place.folder.write("storms/farcast.toml", &manifest);
    place.folder.write("storms/storms.farcast", EXPERIMENT);
    let refused = place.refusal("storms", &["check", "storms.farcast"]);
    assert!(refused.contains("= help: run `farcast fetch`"), "{refused}");
    let refused = place.refusal("storms", &["fetch", "--locked"]);
    assert!(
        refused.contains("`--locked` keeps it as it is"),
        "{refused}"
    );
    let refused = place.refusal("storms", &["fetch", "--offline"]);
    assert!(
        refused.contains("`--offline` allows no network"),
        "{refused}"
    );
    place.fine("storms", &["fetch"]);
    let lock = place.folder.read("storms/farcast.lock");
    // A tag that moves afterwards changes nothing, and is reported on request.
    place.publish(
        "ocean",
        "v1.2.0",
        &[("lib.farcast", "data other = csv(\"x.csv\")\n")],
    );
    fs::remove_dir_all(place.folder.path("cache")).unwrap();
    for flags in [
        &["fetch", "--locked"][..],
        &["fetch", "--frozen"],
        &["fetch", "--offline"],
    ] {
        place.fine("storms", flags);
        assert_eq!(place.folder.read("storms/farcast.lock"), lock);
    }
    place.fine("storms", &["check", "storms.farcast"]);
    let moved = place.refusal("storms", &["update"]);
    assert!(
        moved.contains("package `ocean`: tag `v1.2.0` was moved, from "),
        "{moved}"
    );
    // What the lock does not say is not taken.
    let at = lock.find("tree = \"blake3:").unwrap() + "tree = \"blake3:".len();
    let forged = format!("{}000000{}", &lock[..at], &lock[at + 6..]);
    place.folder.write("storms/farcast.lock", &forged);
    let refused = place.refusal("storms", &["fetch"]);
    assert!(
        refused.contains("`farcast.lock` says blake3:00"),
        "{refused}"
    );
    place
        .folder
        .write("storms/farcast.lock", "[[package]]\nname = 1\n");
    let refused = place.refusal("storms", &["check", "storms.farcast"]);
    assert!(
        refused.contains("`farcast.lock`, line 1: the package has no `source`"),
        "{refused}"
    );
}

#[test]
fn packages_have_packages_in_versions_of_their_own() {
    let place = Place::new();
    let common = |tag: &str, limit: &str| {
        place.publish(
            "common",
            tag,
            &[("lib.farcast", &format!("param limit: Int = {limit}\n"))],
        )
    };
    common("v1.0.0", "1");
    common("v2.0.0", "2");
    let url = place.url("common");
    let manifest = format!("[dependencies]\ncommon = {{ git = \"{url}\", tag = \"v1.0.0\" }}\n");
    let lib = "use \"@common\" as common\ndefine first(rows) = where(rows, x < common.limit)\n";
    place.publish(
        "ocean",
        "v1.0.0",
        &[("farcast.toml", &manifest), ("lib.farcast", lib)],
    );
    place.fine("storms", &["add", "ocean", "--git", &place.url("ocean")]);
    place.fine(
        "storms",
        &["add", "common", "--git", &url, "--tag", "v2.0.0"],
    );
    let lock = place.folder.read("storms/farcast.lock");
    assert_eq!(lock.matches("name = \"common\"").count(), 2, "{lock}");
    place.folder.write(
        "storms/storms.farcast",
        "use \"@ocean\" as ocean\nuse \"@common\" as common\ndata all = synthetic(regime, rows: 50)\n\
         data a = ocean.first(all)\ndata b = where(all, x < common.limit)\n\
         score s = compare(mlp(a, inputs: [x], target: y, epochs: 1), on: b)\n",
    );
    let said = place.fine("storms", &["check", "storms.farcast"]);
    assert_eq!(said.err, "no mistakes found\n");
    place.fine("storms", &["run", "storms.farcast", "--quiet"]);
    let run = place.folder.read("storms/out/storms/run.json");
    assert!(run.contains("\"ocean.common.limit\": \"1\""), "{run}");
    assert!(run.contains("\"common.limit\": \"2\""), "{run}");
    assert!(run.contains("\"@ocean/@common\": {"), "{run}");
    // A dependency of a dependency is that one's own affair.
    place.folder.write(
        "storms/x.farcast",
        "use \"@ocean/@common/lib.farcast\" as c\ndata a = csv(\"x\")\n",
    );
    let refused = place.refusal("storms", &["check", "x.farcast"]);
    assert!(
        refused.contains("it takes a dependency of its own"),
        "{refused}"
    );
}

#[test]
fn vendored_packages_need_no_cache_and_are_verified() {
    let place = Place::new();
    place.ocean();
    place.folder.write("storms/storms.farcast", EXPERIMENT);
    place.fine("storms", &["add", "ocean", "--git", &place.url("ocean")]);
    place.fine("storms", &["vendor"]);
    fs::remove_dir_all(place.folder.path("cache")).unwrap();
    place.cut_off();
    place.fine("storms", &["check", "storms.farcast"]);
    place.fine("storms", &["fetch", "--offline", "--locked"]);
    let folder = fs::read_dir(place.folder.path("storms/vendor"))
        .unwrap()
        .flatten();
    let folder = folder.map(|it| it.path()).find(|it| it.is_dir()).unwrap();
    let change = |file: &str| {
        let path = folder.join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}\n")).unwrap();
        let said = place.refusal("storms", &["check", "storms.farcast"]);
        assert!(
            said.contains("is not what was fetched: it was changed, and is not used"),
            "{said}"
        );
        fs::write(&path, text).unwrap();
    };
    change("lib.farcast");
    change("data/casts.csv");
    change("farcast.toml");
    place.fine("storms", &["check", "storms.farcast"]);
}

/// A package from elsewhere that names what only this machine can reach.
#[test]
fn a_stranger_s_package_does_not_reach_into_this_machine() {
    let place = Place::new();
    place.ocean();
    place.publish("secret", "v1.0.0", &[("lib.farcast", "")]);
    let manifest = format!(
        "[package]\nname = \"ocean\"\nversion = \"1.3.0\"\n\n[dependencies]\n\
         secret = {{ git = \"{}\", tag = \"v1.0.0\" }}\n",
        place.url("secret")
    );
    place.publish("ocean", "v1.3.0", &[("farcast.toml", &manifest)]);
    // From this machine itself, it may.
    place.fine("storms", &["add", "ocean", "--git", &place.url("ocean")]);
    for file in ["storms/farcast.toml", "storms/farcast.lock"] {
        let text = place.folder.read(file);
        let text = text.replace(&place.url("ocean"), "https://example.org/ocean.git");
        place.folder.write(file, text);
    }
    let refused = place.refusal("storms", &["fetch"]);
    expect![[r#"
        error: package `ocean` names `file://HERE/remote/secret`, an address of this machine, and is itself from elsewhere
          = help: its authors have to publish that package, too
    "#]].assert_eq(&refused);
}

/// A path after the name of a package stays in it.
#[test]
fn a_path_with_two_slashes_does_not_leave_the_package() {
    let place = Place::new();
    place.ocean();
    place.fine("storms", &["add", "ocean", "--git", &place.url("ocean")]);
    place
        .folder
        .write("secret.farcast", "define near(rows) = rows\n");
    let path = format!("@ocean/{}/secret.farcast", place.folder.real_path());
    place
        .folder
        .write("storms/it.farcast", format!("use \"{path}\" as ocean\n"));
    let refused = place.refusal("storms", &["check", "it.farcast"]);
    let expected = "error[unreadable-file]: `@ocean/HERE/secret.farcast` leaves the package\n";
    assert!(refused.starts_with(expected), "{refused}");
}

#[test]
fn a_damaged_cache_is_found_and_fetched_again() {
    let place = Place::new();
    place.ocean();
    place.folder.write("storms/storms.farcast", EXPERIMENT);
    place.fine("storms", &["add", "ocean", "--git", &place.url("ocean")]);
    let trees = fs::read_dir(place.folder.path("cache/farcast/packages"))
        .unwrap()
        .flatten();
    let tree = trees.map(|it| it.path()).find(|it| it.is_dir()).unwrap();
    let lib = tree.join("lib.farcast");
    assert!(fs::metadata(&lib).unwrap().permissions().readonly());
    fs::remove_file(&lib).unwrap();
    fs::write(&lib, "data casts = csv(\"/etc/passwd\")\n").unwrap();
    let said = place.refusal("storms", &["check", "storms.farcast"]);
    assert!(said.contains("is not what was fetched"), "{said}");
    place.fine("storms", &["fetch"]);
    place.fine("storms", &["check", "storms.farcast"]);
}

#[test]
fn names_that_a_package_has_are_offered() {
    let place = Place::new();
    place.ocean();
    place.fine(
        "storms",
        &["add", "sea-water", "--git", &place.url("ocean")],
    );
    place.folder.write(
        "storms/storms.farcast",
        "data all = synthetic(regime, rows: 50)\ndata few = near(all)\n\
         use \"@sea-watr\" as s\nuse \"@sea-water/depths.farcast\" as d\nuse \"@sea-water/../x.farcast\" as e\n",
    );
    let said = place.refusal("storms", &["check", "storms.farcast"]);
    assert!(
        said.contains(
            "= help: a package has it: `use \"@sea-water\" as sea_water`, then `sea_water.near`"
        ),
        "{said}"
    );
    place.folder.write(
        "storms/x.farcast",
        "use \"@\" as s\nuse \"@sea-water\" as t\ndata a = t.bad\n",
    );
    let bad = place.refusal("storms", &["check", "x.farcast"]);
    assert!(bad.contains("`` is not the name of a package"), "{bad}");
    assert!(
        said.contains("`farcast.toml` has no dependency `sea-watr`"),
        "{said}"
    );
    assert!(said.contains("did you mean `@sea-water`?"), "{said}");
    assert!(
        said.contains("the package has no file `depths.farcast`"),
        "{said}"
    );
    assert!(
        said.contains("`@sea-water/../x.farcast` leaves the package"),
        "{said}"
    );
}

#[test]
fn an_update_says_what_it_would_change() {
    let place = Place::new();
    place.ocean();
    place.folder.write("storms/storms.farcast", EXPERIMENT);
    place.folder.write(
        "storms/other.farcast",
        "data a = synthetic(regime, rows: 50)\n",
    );
    place.fine("storms", &["add", "ocean", "--git", &place.url("ocean")]);
    let newer = LIB.replace("limit = 100", "limit = 50") + "param cold: Float = 1 in 0..=4\n";
    place.publish("ocean", "v1.3.0", &[("lib.farcast", &newer)]);
    place.publish(
        "ocean",
        "v2.0.0",
        &[("lib.farcast", "data casts = csv(\"data/casts.csv\")\n")],
    );
    let (manifest, lock) = (
        place.folder.read("storms/farcast.toml"),
        place.folder.read("storms/farcast.lock"),
    );
    let dry = place.fine("storms", &["update", "--dry-run"]);
    assert_eq!(
        dry.out,
        "what `ocean` defines:\n\
         + lib.farcast: param cold: Float = 1 in 0..=4\n\
         - lib.farcast: define near(rows, limit = 100)\n\
         + lib.farcast: define near(rows, limit = 50)\n\
         storms.farcast: 4 of 5 actions change: `net` 2, `net.data` 1, `skill` 1\n"
    );
    assert_eq!(place.folder.read("storms/farcast.toml"), manifest);
    assert_eq!(place.folder.read("storms/farcast.lock"), lock);
    let done = place.fine("storms", &["update", "ocean"]);
    assert!(done.err.contains("`ocean` v1.2.0 → v1.3.0"), "{}", done.err);
    assert_eq!(
        place.folder.read("storms/farcast.toml"),
        manifest.replace("v1.2.0", "v1.3.0")
    );
    let done = place.fine("storms", &["update"]);
    assert!(
        done.err
            .contains("all tags are the newest of their major version"),
        "{}",
        done.err
    );
}

/// What a repository from strangers may try.
#[test]
fn hostile_repositories_write_nothing() {
    let place = Place::new();
    let add = |name: &str| place.refusal("storms", &["add", name, "--git", &place.url(name)]);
    place.publish("links", "v1.0.0", &[("lib.farcast", "")]);
    std::os::unix::fs::symlink(
        "/etc/passwd",
        place.folder.path("remote/links/data.farcast"),
    )
    .unwrap();
    place.publish("links", "v1.0.0", &[]);
    assert!(add("links").contains("`data.farcast` is a link: a package has plain files only"));
    let inner = place.publish("inner", "v1.0.0", &[("lib.farcast", "")]);
    place.publish("subs", "v1.0.0", &[("lib.farcast", "")]);
    let entry = format!("160000,{inner},inner");
    place.git(
        "remote/subs",
        &["update-index", "--add", "--cacheinfo", &entry],
    );
    place.git("remote/subs", &["commit", "--quiet", "--message", "x"]);
    place.git("remote/subs", &["tag", "--force", "v1.0.0"]);
    assert!(add("subs").contains("`inner` is a submodule: a package has plain files only"));
    place.publish(
        "cases",
        "v1.0.0",
        &[("lib.farcast", ""), ("Lib.farcast", "x")],
    );
    assert!(add("cases").contains("`Lib.farcast` and `lib.farcast` differ only in case"));
    // Trees that git itself does not make: `..` and `.git`.
    for (name, path) in [("dots", ".."), ("own", ".git")] {
        place.publish(name, "v1.0.0", &[("lib.farcast", "")]);
        let repository = format!("remote/{name}");
        let blob = place.git(&repository, &["hash-object", "-w", "lib.farcast"]);
        let raw: Vec<u8> = (0..20)
            .map(|at| u8::from_str_radix(&blob[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let tree = [format!("100644 {path}\0").as_bytes(), &raw].concat();
        place.folder.write(&format!("{repository}/tree"), &tree);
        let tree = place.git(
            &repository,
            &["hash-object", "-w", "-t", "tree", "--literally", "tree"],
        );
        let commit = place.git(&repository, &["commit-tree", &tree, "-m", "x"]);
        place.git(&repository, &["tag", "--force", "v1.0.0", &commit]);
        let said = add(name);
        let is_told =
            said.contains("fsck") || said.contains("hasDot") || said.contains("leaves the folder");
        assert!(is_told || said.contains("does not give commit"), "{said}");
    }
    // More files than any package has: told before one is read.
    place.publish("huge", "v1.0.0", &[("lib.farcast", "")]);
    let blob = place.git("remote/huge", &["hash-object", "lib.farcast"]);
    let listed: String = (0..20_001)
        .map(|at| format!("100644 blob {blob}\tf{at}\n"))
        .collect();
    place.folder.write("remote/list", listed);
    let list = fs::File::open(place.folder.path("remote/list")).unwrap();
    let tree = Command::new("git")
        .arg("mktree")
        .current_dir(place.folder.path("remote/huge"))
        .stdin(list)
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let commit = place.git("remote/huge", &["commit-tree", tree.trim(), "-m", "x"]);
    place.git("remote/huge", &["tag", "--force", "v1.0.0", &commit]);
    assert!(add("huge").contains("it has more than 20000 files"));
    // Hooks and filters of the repository do nothing.
    place.publish(
        "filters",
        "v1.0.0",
        &[
            ("lib.farcast", "param x: Int = 1\n"),
            (".gitattributes", "* filter=evil text eol=crlf\n"),
        ],
    );
    place.fine(
        "storms",
        &["add", "filters", "--git", &place.url("filters")],
    );
    // Addresses that are more than addresses, and commits that are not there.
    for url in [
        "ext::sh -c 'touch HIT'",
        "--upload-pack=touch HIT",
        "git://x.org/a",
        "http://x.org/a",
    ] {
        let said = place.farcast("storms", &["add", "x", &format!("--git={url}")]);
        assert_eq!(said.code, 1, "{said:?}");
        place.folder.write(
            "bad/farcast.toml",
            format!("[dependencies]\nx = {{ git = \"{url}\", tag = \"v1\" }}\n"),
        );
        assert_eq!(place.farcast("bad", &["fetch"]).code, 1);
    }
    let absent = "0123456789012345678901234567890123456789";
    let said = place.refusal(
        "storms",
        &["add", "x", "--git", &place.url("inner"), "--rev", absent],
    );
    assert!(said.contains("does not give commit 012345678901"), "{said}");
    let said = place.refusal(
        "storms",
        &["add", "x", "--git", &place.url("inner"), "--tag", "v1.0.1"],
    );
    assert!(
        said.contains("has no tag `v1.0.1`") && said.contains("did you mean `v1.0.0`?"),
        "{said}"
    );
    let said = place.refusal("storms", &["add", "filters", "--git", &place.url("inner")]);
    assert!(
        said.contains("`farcast.toml` has `filters` already"),
        "{said}"
    );
    place.folder.write(
        "twice/farcast.toml",
        "[dependencies]\na = { path = \"x\" }\na = { path = \"y\" }\n",
    );
    assert!(place.refusal("twice", &["fetch"]).contains("duplicate key"));
    assert!(!place.folder.path("storms/HIT").exists() && !place.folder.path("bad/HIT").exists());
    let trees = fs::read_dir(place.folder.path("cache/farcast/packages"))
        .unwrap()
        .flatten();
    assert_eq!(trees.filter(|it| it.path().is_dir()).count(), 1);
}

#[test]
fn folders_and_archives_are_packages_too() {
    let place = Place::new();
    place
        .folder
        .write("common/lib.farcast", "param limit: Int = 1\n");
    place.folder.write("storms/storms.farcast", "use \"@common\" as c\nuse \"@zipped\" as z\ndata a = synthetic(regime, rows: 50)\ndata b = where(a, x < c.limit + z.limit)\n");
    place.fine("storms", &["add", "common", "--path", "../common"]);
    let mut zip = Command::new("zip");
    zip.args(["--quiet", "-r", "p.zip", "p-1.0"])
        .current_dir(place.folder.path(""))
        .stdin(Stdio::null());
    place
        .folder
        .write("p-1.0/lib.farcast", "param limit: Int = 2\n");
    place
        .folder
        .write("p-1.0/sub/x.farcast", "param limit: Int = 2\n");
    if zip.status().is_err() {
        return;
    }
    let url = format!("file://{}/p.zip", place.folder.real_path());
    place.fine("storms", &["add", "zipped", "--archive", &url]);
    place.fine("storms", &["check", "storms.farcast"]);
    // Another archive of the same name is not taken.
    fs::remove_dir_all(place.folder.path("cache")).unwrap();
    place
        .folder
        .write("p-1.0/lib.farcast", "param limit: Int = 3\n");
    zip.status().unwrap();
    let said = place.refusal("storms", &["fetch"]);
    assert!(said.contains("is not the archive that was named"), "{said}");
    place.folder.write("p.zip", "no zip");
    assert_eq!(place.farcast("storms", &["fetch"]).code, 1);
}

/// A repository behind git's own server program, over HTTP on this machine.
#[test]
fn packages_are_fetched_over_http() {
    let place = Place::new();
    place.ocean();
    place.git(
        "remote",
        &["clone", "--quiet", "--bare", "ocean", "ocean.git"],
    );
    let Some(port) = serve(&place.folder.path("remote")) else {
        return;
    };
    let url = format!("http://127.0.0.1:{port}/ocean.git");
    place.folder.write("storms/storms.farcast", EXPERIMENT);
    place.fine("storms", &["add", "ocean", "--git", &url]);
    place.fine("storms", &["check", "storms.farcast"]);
    // The same tree as from disk: addresses are in no digest.
    let http = place.folder.read("storms/farcast.lock");
    place.fine("other", &["add", "ocean", "--git", &place.url("ocean")]);
    let tree = |lock: &str| {
        lock.lines()
            .find(|it| it.starts_with("tree"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(tree(&http), tree(&place.folder.read("other/farcast.lock")));
}

#[test]
fn a_package_is_ready_when_others_can_use_it() {
    let place = Place::new();
    place.folder.write(
        "ocean/farcast.toml",
        "[package]\nname = \"ocean\"\nversion = \"1.0.0\"\n[dependencies]\nc = { path = \"../c\" }\n",
    );
    place.folder.write(
        "ocean/lib.farcast",
        "# Documented.\ndefine near(rows) = where(rows, x < 1)\n\ndefine far(rows) = where(rows, x > 1)\n",
    );
    let said = place.refusal("ocean", &["package", "check"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "error: `[package]` has no `license`",
            "error: `[package]` has no `description`",
            "error: `[package]` has no `authors`",
            "error: dependency `c` is the folder `../c` outside of the package",
            "error: `near` of `lib.farcast` is in no example: call it in an experiment with a `score`, such as `examples/near.farcast`",
            "error: `far` of `lib.farcast` has no documentation: write a comment directly above it",
            "error: `far` of `lib.farcast` is in no example: call it in an experiment with a `score`, such as `examples/far.farcast`",
        ]
    );
    place.folder.write(
        "ocean/farcast.toml",
        "[package]\nname = \"ocean\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\ndescription = \"x\"\nauthors = [\"A\"]\n",
    );
    place.folder.write(
        "ocean/lib.farcast",
        "# Documented.\ndefine near(rows) = where(rows, x < 1)\n",
    );
    place.folder.write(
        "ocean/examples/near.farcast",
        "use \"../lib.farcast\" as ocean\ndata all = synthetic(regime, rows: 50)\n\
         score s = compare(mlp(ocean.near(all), inputs: [x], target: y, epochs: 1), on: all)\n",
    );
    let said = place.fine("ocean", &["package", "check"]);
    assert!(
        said.err
            .starts_with("1 definitions are documented, 1 examples run, tree "),
        "{}",
        said.err
    );
}

/// A reviewer has neither the repository nor a cache.
#[test]
fn a_bundle_has_the_packages_it_needs() {
    let place = Place::new();
    place.ocean();
    place
        .folder
        .write("common/lib.farcast", "param limit: Int = 1\n");
    place.folder.write(
        "storms/storms.farcast",
        format!("use \"@common\" as c\n{EXPERIMENT}"),
    );
    place.fine("storms", &["add", "ocean", "--git", &place.url("ocean")]);
    place.fine("storms", &["add", "common", "--path", "../common"]);
    place.fine("storms", &["run", "storms.farcast", "--quiet"]);
    place.fine("storms", &["pack", "last", "--data", "--results"]);
    place.fine(
        "storms",
        &["pack", "storms.farcast", "--data", "-o", "text.zip"],
    );
    place.cut_off();
    fs::remove_dir_all(place.folder.path("cache")).unwrap();
    fs::remove_dir_all(place.folder.path("common")).unwrap();
    fs::create_dir(place.folder.path("review")).unwrap();
    for bundle in ["storms.crate.zip", "text.zip"] {
        let from = place.folder.path(&format!("storms/{bundle}"));
        fs::rename(from, place.folder.path(&format!("review/{bundle}"))).unwrap();
    }
    fs::remove_dir_all(place.folder.path("storms")).unwrap();
    place.fine("review", &["open", "storms.crate.zip", "r"]);
    place.fine("review", &["check", "r/experiment/storms.farcast"]);
    let again = place.fine("review", &["rerun", "r", "--fresh"]);
    assert!(
        again.err.contains("the scores are byte-identical"),
        "{}",
        again.err
    );
    place.fine("review", &["open", "text.zip", "t"]);
    place.fine("review", &["run", "t/experiment/storms.farcast", "--quiet"]);
}
