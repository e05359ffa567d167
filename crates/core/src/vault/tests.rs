use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn sources(folder: &tempfile::TempDir) -> Sources {
    Sources { environment: None, credential: None, folder: folder.path().to_owned() }
}

fn vault(folder: &tempfile::TempDir) -> Vault {
    Vault::with(sources(folder))
}

#[test]
fn a_first_start_makes_a_master_key_that_only_its_owner_reads() {
    let folder = folder();
    vault(&folder).first_key().unwrap();
    let mode = fs::metadata(folder.path().join(MASTER_KEY_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_was_sealed_opens_again_after_a_restart_and_for_its_own_row_only() {
    let folder = folder();
    let first = vault(&folder);
    let key = first.first_key().unwrap();
    let sealed = first.seal(b"secret", b"row 1", key).unwrap();
    assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
    let again = vault(&folder);
    assert_eq!(again.trouble(&[first.check(key).unwrap()]), None);
    assert_eq!(again.unseal(&sealed, b"row 1").unwrap().as_slice(), b"secret");
    assert!(again.unseal(&sealed, b"row 2").is_err());
    for cut in 0..sealed.len() {
        assert!(again.unseal(&sealed[..cut], b"row 1").is_err());
    }
}

#[test]
fn what_was_sealed_before_texts_named_their_key_still_opens() {
    let folder = folder();
    let vault = vault(&folder);
    let key = vault.first_key().unwrap();
    let sealed = vault.ring.load().find(key).unwrap().seal_nameless(b"secret", b"row 1");
    assert_eq!(vault.unseal(&sealed, b"row 1").unwrap().as_slice(), b"secret");
    assert!(vault.unseal(&sealed, b"row 2").is_err());
    assert_eq!(KeyId::of(&sealed), None);
}

#[test]
fn a_missing_damaged_or_other_master_key_is_told_with_what_to_do_and_none_is_made_over_an_old_database() {
    let folder = folder();
    let first = vault(&folder);
    let key = first.first_key().unwrap();
    let (check, sealed) = (first.check(key).unwrap(), first.seal(b"x", b"y", key).unwrap());
    let path = folder.path().join(MASTER_KEY_FILE);
    for (content, words) in [
        (Some("00".repeat(32)), "not the one"),
        (Some("äh".repeat(20)), "damaged"),
        (Some("+1".repeat(32)), "damaged"),
        (Some("f".repeat(100_000)), "damaged"),
        (None, "can't be read"),
    ] {
        match content {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let vault = vault(&folder);
        let trouble = vault.trouble(std::slice::from_ref(&check)).unwrap();
        assert!(trouble.contains(words) && trouble.contains("Put it back"), "{trouble}");
        assert!(vault.seal(b"x", b"y", key).is_err());
        assert!(vault.unseal(&sealed, b"y").is_err());
        assert!(path.exists() == (words != "can't be read"));
    }
}

#[test]
fn the_environment_comes_before_a_credential_and_a_credential_before_the_file() {
    let folder = folder();
    let file = vault(&folder).first_key().unwrap();
    let credential = folder.path().join(CREDENTIAL);
    fs::write(&credential, "ab".repeat(32)).unwrap();
    let mut all = sources(&folder);
    all.credential = Some(credential);
    let second = Vault::with(all).first_key().unwrap();
    let mut all = sources(&folder);
    all.environment = Some(Zeroizing::new("cd".repeat(32)));
    let first = Vault::with(all).first_key().unwrap();
    assert!(first != second && second != file && first != file);
}

#[test]
fn a_key_that_comes_while_running_is_found_when_a_text_names_it() {
    let folder = folder();
    let running = vault(&folder);
    let old = running.first_key().unwrap();
    let sealed_before = running.seal(b"secret", b"row", old).unwrap();

    let rotating = vault(&folder);
    let new = rotating.next_key(old).unwrap();
    assert_eq!(rotating.next_key(old).unwrap(), new, "a second attempt takes the same key");
    let sealed = rotating.seal(b"secret", b"row", new).unwrap();
    assert_eq!(running.unseal(&sealed, b"row").unwrap().as_slice(), b"secret");
    assert_eq!(running.unseal(&sealed_before, b"row").unwrap().as_slice(), b"secret");

    assert_eq!(rotating.settle(new).unwrap(), Settled::InPlace);
    assert!(!folder.path().join(NEXT_KEY_FILE).exists());
    let checks = [running.check(new).unwrap()];
    assert_eq!(running.trouble(&checks), None);
    assert!(running.fits(&checks), "the old key is wiped");
    assert!(running.unseal(&sealed_before, b"row").is_err());
}

#[test]
fn a_key_that_was_looked_for_in_vain_is_not_looked_for_again_at_once_and_holds_no_other_up() {
    let folder = folder();
    let running = vault(&folder);
    let old = running.first_key().unwrap();
    let mut foreign = running.seal(b"secret", b"row", old).unwrap();
    foreign[1] ^= 1;
    assert!(running.unseal(&foreign, b"row").is_err());
    let missed = *running.missed.lock().unwrap();
    assert!(running.unseal(&foreign, b"row").is_err());
    assert_eq!(*running.missed.lock().unwrap(), missed, "not looked for again");
    let rotating = vault(&folder);
    let new = rotating.next_key(old).unwrap();
    assert!(running.unseal(&rotating.seal(b"secret", b"row", new).unwrap(), b"row").is_ok());
}

#[test]
fn a_master_key_that_vanishes_while_running_is_told_and_kept_for_what_is_sealed_under_it() {
    let folder = folder();
    let running = vault(&folder);
    let key = running.first_key().unwrap();
    let (check, sealed) = (running.check(key).unwrap(), running.seal(b"secret", b"row", key).unwrap());
    let path = folder.path().join(MASTER_KEY_FILE);
    fs::remove_file(&path).unwrap();
    let mut foreign = sealed.clone();
    foreign[1] ^= 1;
    assert!(running.unseal(&foreign, b"row").is_err());
    assert_eq!(running.unseal(&sealed, b"row").unwrap().as_slice(), b"secret");
    assert!(running.trouble(std::slice::from_ref(&check)).unwrap().contains("can't be read"));
    fs::create_dir(&path).unwrap();
    assert!(running.trouble(std::slice::from_ref(&check)).unwrap().contains("not a file"));
    assert!(running.opens(&[check]));
}

#[test]
fn a_new_key_waits_beside_the_database_until_the_environment_has_it() {
    let folder = folder();
    let in_environment = |text: &str| Sources { environment: Some(Zeroizing::new(text.into())), ..sources(&folder) };
    let running = Vault::with(in_environment(&"ab".repeat(32)));
    let old = running.first_key().unwrap();
    let new = running.next_key(old).unwrap();
    assert_eq!(running.settle(new).unwrap(), Settled::Waiting);
    let path = folder.path().join(NEXT_KEY_FILE);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(Vault::with(in_environment(&text)).settle(new).unwrap(), Settled::InPlace);
    assert!(!path.exists());
    assert!(!folder.path().join(MASTER_KEY_FILE).exists());
}
