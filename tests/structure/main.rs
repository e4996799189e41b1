//! The structure of the host, as its README draws it: which module may use which.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, Item, ItemMod, ItemUse, UseTree,
    visit::{self, Visit},
};

type Uses = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The rows of the table in `host/README.md`, from top to bottom: a module, and what it may use.
fn table() -> Vec<(String, BTreeSet<String>)> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rows = readme.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, module, _, uses, _] = cells.as_slice() else { panic!("a row with three cells: {row}") };
        let uses = if *uses == "nothing" { BTreeSet::new() } else { names(uses) };
        (names(module).into_iter().next().unwrap(), uses)
    })
    .collect()
}

/// What stands in backticks in a cell, without the slash of a folder.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(|name| name.trim_end_matches('/').to_owned()).collect()
}

/// The source files, without those of tests, each with the path of its module.
fn sources() -> Vec<(PathBuf, Vec<String>)> {
    let mut found = Vec::new();
    collect(&root().join("src"), &mut Vec::new(), &mut found);
    found
}

fn collect(folder: &Path, module: &mut Vec<String>, found: &mut Vec<(PathBuf, Vec<String>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            module.push(name);
            collect(&path, module, found);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests" {
            let mut module = module.clone();
            // `main` is the binary, which uses the library by its name.
            if !matches!(name.as_str(), "mod" | "lib" | "main") {
                module.push(name);
            }
            found.push((path, module));
        }
    }
}

/// Gathers the modules below the crate's root that a file names.
struct Names<'a> {
    /// The path of the module that is being read.
    module: Vec<String>,
    top: &'a BTreeSet<String>,
    found: BTreeSet<String>,
}

impl Names<'_> {
    fn path(&mut self, segments: &[String]) {
        let supers = segments.iter().take_while(|segment| *segment == "super").count();
        let target = match segments.first().map(String::as_str) {
            Some("crate") => segments.get(1),
            Some("super") if supers == self.module.len() => segments.get(supers),
            _ => None,
        };
        if let Some(target) = target.filter(|target| self.top.contains(*target)) {
            self.found.insert(target.clone());
        }
    }

    fn tree(&mut self, tree: &UseTree, before: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(&path.tree, before);
                before.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before)),
            UseTree::Name(name) => self.path(&[before.as_slice(), &[name.ident.to_string()]].concat()),
            UseTree::Rename(name) => self.path(&[before.as_slice(), &[name.ident.to_string()]].concat()),
            UseTree::Glob(_) => self.path(before),
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

impl<'a> Visit<'a> for Names<'_> {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.tree(&item.tree, &mut Vec::new());
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.path(&segments);
        visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        if is_for_tests(&item.attrs) {
            return;
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item(&mut self, item: &'a Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }
}

fn uses(top: &BTreeSet<String>) -> Uses {
    let mut uses = Uses::new();
    for (path, module) in sources() {
        let Some(own) = module.first().cloned() else { continue };
        let text = fs::read_to_string(&path).unwrap();
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut names = Names { module, top, found: BTreeSet::new() };
        names.visit_file(&file);
        names.found.remove(&own);
        uses.entry(own).or_default().append(&mut names.found);
    }
    uses
}

#[test]
fn each_module_uses_what_the_table_says_and_nothing_above_it() {
    let table = table();
    let top: BTreeSet<String> = table.iter().map(|(module, _)| module.clone()).collect();
    let found = uses(&top);
    let modules: BTreeSet<String> =
        sources().into_iter().filter_map(|(_, module)| module.into_iter().next()).collect();
    assert_eq!(top, modules, "the table names each module once, and nothing else");
    let mut wrong = Vec::new();
    for (place, (module, allowed)) in table.iter().enumerate() {
        let used = found.get(module).cloned().unwrap_or_default();
        if module == "cli" {
            continue;
        }
        if used != *allowed {
            let list = used.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            wrong.push(format!("{module} uses {list}"));
        }
        let above = table.iter().take(place).map(|(module, _)| module);
        for module_above in above.filter(|above| used.contains(*above)) {
            wrong.push(format!("{module} uses {module_above}, which stands above it"));
        }
    }
    assert!(wrong.is_empty(), "host/README.md says something else:\n{}", wrong.join("\n"));
}

#[test]
fn each_module_begins_with_a_sentence_that_says_what_it_is() {
    for (path, _) in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! "), "{} begins with {first:?}", path.display());
    }
}
