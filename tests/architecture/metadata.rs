//! What cargo says about the packages of the workspace and everything they depend on.

use crate::workspace_root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

pub struct Package {
    pub name: String,
    /// Folder of its manifest.
    pub folder: PathBuf,
    /// SPDX expression.
    pub license: Option<String>,
    pub is_ours: bool,
    /// Roots of its targets: `lib.rs`, `main.rs`, test binaries.
    pub roots: Vec<PathBuf>,
    pub default_run: Option<String>,
    /// Names of packages that it needs to be built (dependencies and build dependencies, not those of its tests).
    pub needs: BTreeSet<String>,
    /// Identity in cargo's graph and of what it needs: there may be two packages of one name.
    id: String,
    needs_ids: BTreeSet<String>,
}

/// Everything that is built for this machine, by name; two versions of one crate are two entries.
pub static PACKAGES: LazyLock<Vec<Package>> = LazyLock::new(load);

pub fn ours() -> impl Iterator<Item = &'static Package> {
    PACKAGES.iter().filter(|package| package.is_ours)
}

pub fn own(name: &str) -> &'static Package {
    ours()
        .find(|package| package.name == name)
        .unwrap_or_else(|| panic!("no crate of ours is called `{name}`"))
}

impl Package {
    /// Names of all packages that are built for this one, however far away, without itself.
    pub fn needs_in_the_end(&self) -> BTreeSet<&'static str> {
        let by_id: BTreeMap<&str, &Package> = PACKAGES.iter().map(|p| (p.id.as_str(), p)).collect();
        let mut names = BTreeSet::new();
        let mut open: Vec<&str> = self.needs_ids.iter().map(String::as_str).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if let (true, Some(package)) = (seen.insert(id.to_string()), by_id.get(id)) {
                names.insert(package.name.as_str());
                open.extend(package.needs_ids.iter().map(String::as_str));
            }
        }
        names
    }
}

fn load() -> Vec<Package> {
    let metadata = run_cargo();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let members: BTreeSet<String> = list(&metadata["workspace_members"]).iter().map(text).collect();
    let names: BTreeMap<String, String> =
        list(&metadata["packages"]).iter().map(|p| (text(&p["id"]), text(&p["name"]))).collect();
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        let built = list(&node["deps"]).into_iter().filter(|dependency| {
            list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].as_str() != Some("dev"))
        });
        needs.insert(text(&node["id"]), built.map(|dependency| text(&dependency["pkg"])).collect());
    }
    let packages = list(&metadata["packages"]).into_iter().map(|package| {
        let id = text(&package["id"]);
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let needs_ids = needs.remove(&id).unwrap_or_default();
        Package {
            name: text(&package["name"]),
            folder: manifest.parent().expect("a manifest lies in a folder").to_path_buf(),
            license: package["license"].as_str().map(str::to_string),
            is_ours: members.contains(&id),
            roots: list(&package["targets"]).iter().map(|t| PathBuf::from(text(&t["src_path"]))).collect(),
            default_run: package["default_run"].as_str().map(str::to_string),
            needs: needs_ids.iter().filter_map(|id| names.get(id).cloned()).collect(),
            id,
            needs_ids,
        }
    });
    packages.collect()
}

fn run_cargo() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &target]);
    let output = command.current_dir(workspace_root()).output().expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}
