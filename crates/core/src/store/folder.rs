//! Folders that sites are served from.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::{Result, SITES_FOLDER, StoreError};

/// Proves that `typed` names a folder that can be served, and nothing of Siteward's own.
///
/// # Errors
/// [`StoreError::Folder`] with a sentence.
pub(super) fn parse(typed: &str, data_dir: &Path) -> Result<PathBuf> {
    let typed = typed.trim();
    let refuse = |why: String| Err(StoreError::Folder(why));
    if typed.is_empty() {
        return refuse("Enter the folder that holds the site's files.".into());
    }
    if typed.chars().any(char::is_control) || typed.len() > 4096 {
        return refuse("A folder has at most 4,096 characters and no control characters.".into());
    }
    if !typed.starts_with('/') {
        return refuse("Enter the whole path of the folder, beginning with /.".into());
    }
    let folder = match Path::new(typed).canonicalize() {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return refuse(format!("The folder {typed} does not exist on this server."));
        }
        Err(error) => return refuse(format!("The folder {typed} can't be opened: {error}.")),
    };
    if !folder.is_dir() {
        return refuse(format!("{typed} is a file. Enter the folder it is in."));
    }
    let sites = data_dir.join(SITES_FOLDER);
    let own = folder.starts_with(data_dir) && (!folder.starts_with(&sites) || folder == sites);
    if own || data_dir.starts_with(&folder) {
        return refuse(format!(
            "{typed} holds Siteward's own data, with the keys of all sites. Choose another folder."
        ));
    }
    if let Err(error) = fs::read_dir(&folder) {
        return refuse(format!("Siteward may not read {typed}: {error}."));
    }
    if folder.to_str().is_none() {
        return refuse("The folder's real path must be valid UTF-8.".into());
    }
    Ok(folder)
}

/// A folder made for a new site. Dropped before [`Made::keep`], it is removed again: the site was not saved after all.
pub(super) struct Made {
    path: PathBuf,
    kept: bool,
}

impl Made {
    /// Makes a folder of its own for the site `name`, with a first page.
    ///
    /// # Errors
    /// [`StoreError::Folder`] with a sentence.
    pub(super) fn create(name: &str, data_dir: &Path) -> Result<Self> {
        let fail = |error: io::Error| StoreError::Folder(format!("No folder could be made for the site: {error}."));
        let (slug, sites) = (slug(name), data_dir.join(SITES_FOLDER));
        for attempt in 1..1000 {
            let folder_name = if attempt == 1 { slug.clone() } else { format!("{slug}-{attempt}") };
            let path = sites.join(folder_name);
            match fs::create_dir(&path) {
                Ok(()) => {
                    let made = Self { path, kept: false };
                    made.fill(name).map_err(fail)?;
                    return Ok(made);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(fail(error)),
            }
        }
        Err(StoreError::Folder("Too many folders have this name. Choose another name for the site.".into()))
    }

    /// Writes the first page down to the disk: a site that was reported saved answers after a power cut too.
    fn fill(&self, name: &str) -> io::Result<()> {
        let mut page = File::create_new(self.path.join("index.html"))?;
        page.write_all(first_page(name).as_bytes())?;
        page.sync_all()?;
        File::open(&self.path)?.sync_all()?;
        self.path.parent().map_or(Ok(()), |sites| File::open(sites)?.sync_all())
    }

    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Deref for Made {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let removed = fs::remove_file(self.path.join("index.html")).and_then(|()| fs::remove_dir(&self.path));
        if let Err(error) = removed {
            let folder = self.path.display();
            tracing::warn!(%folder, %error, "the folder of a site that was not saved stays behind");
        }
    }
}

fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    if slug.is_empty() { "site".into() } else { slug }
}

fn first_page(name: &str) -> String {
    let name = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{name}</title>\n</head>\n<body>\n\
         <main>\n<h1>{name}</h1>\n<p>This site works. Replace this page with its content.</p>\n</main>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_dir() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        fs::create_dir(path.join(SITES_FOLDER)).unwrap();
        (folder, path)
    }

    #[test]
    fn siteward_s_own_data_is_never_served() {
        let (_keep, data) = data_dir();
        fs::create_dir(data.join("other")).unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(&data, outside.path().join("link")).unwrap();
        let link = outside.path().join("link");
        for path in
            ["", "sites", "other", "sites/..", "sites/./"].map(|p| data.join(p)).into_iter().chain([link, "/".into()])
        {
            let refused = parse(path.to_str().unwrap(), &data);
            assert!(
                matches!(&refused, Err(StoreError::Folder(why)) if why.contains("own data")),
                "{path:?}: {refused:?}"
            );
        }
    }

    #[test]
    fn what_is_no_folder_is_refused_with_the_reason() {
        let (_keep, data) = data_dir();
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = file.path().to_str().unwrap();
        for (typed, words) in [
            ("", "Enter the folder"),
            ("srv/www", "beginning with /"),
            ("/no/such/folder", "does not exist"),
            (file, "is a file"),
            ("/srv\0", "control characters"),
            ("/srv\nwww", "control characters"),
        ] {
            let refused = parse(typed, &data).unwrap_err().to_string();
            assert!(refused.contains(words), "{typed:?}: {refused}");
        }
    }

    #[test]
    fn a_folder_made_for_a_site_has_a_first_page_and_a_name_of_its_own() {
        let (_keep, data) = data_dir();
        let first = Made::create("Büro & <Co>", &data).unwrap();
        let second = Made::create("Büro & <Co>", &data).unwrap();
        assert_eq!(first.file_name().unwrap(), "b-ro-co");
        assert_ne!(first.path, second.path);
        assert_eq!(parse(first.to_str().unwrap(), &data).unwrap(), first.path);
        assert!(fs::read_to_string(first.join("index.html")).unwrap().contains("<h1>Büro &amp; &lt;Co&gt;</h1>"));
        let (kept, dropped) = (first.path.clone(), second.path.clone());
        first.keep();
        drop(second);
        assert!(kept.exists());
        assert!(!dropped.exists(), "a site that was not saved leaves nothing behind");
    }
}
