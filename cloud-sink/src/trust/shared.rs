//! The keyring over all sinks of a store. Each writes down what its folder of keys has; where that
//! is older than what another folder's sink wrote down, the newer one is taken, as a gateway would.

use anyhow::{Context, ensure};
use wire::keyring::Keyring;

use super::certificates::replace;
use super::keyring;
use crate::keys::KeyFolder;
use crate::store::db::{Db, values};

/// Takes the newest keyring of the store into the folder, if it is newer than the one there; what
/// was done, in words. Nobody else may change the folder meanwhile.
///
/// # Errors
/// The store does not answer, or its newest keyring does not hold here: the folder's own stays.
pub fn take_newer(keys: &KeyFolder, db: &Db) -> anyhow::Result<Option<String>> {
    let (_, own) = keyring::load(keys)?;
    let (root, fleet) = own.versions();
    let sql = "SELECT document, root_version, fleet_version FROM keyring
               WHERE root_version > ?1 OR root_version = ?1 AND fleet_version > ?2
               ORDER BY root_version DESC, fleet_version DESC LIMIT 1";
    let newest = db.row(sql, values![root.cast_signed(), fleet.cast_signed()])?;
    let Some(row) = newest else { return Ok(None) };
    let document: Vec<u8> = row.at(0)?;
    let (root, fleet): (u64, u64) = (row.at(1)?, row.at(2)?);
    let roots = keyring::roots(keys)?;
    let newer = Keyring::verify(&document, &roots).with_context(|| {
        format!(
            "keyring {root}.{fleet} of the store does not hold under the roots of this folder of \
             keys; copy the folder of the sink that made it"
        )
    })?;
    ensure!(
        newer.is_newer_than(&own),
        "keyring {root}.{fleet} of the store and that of this folder of keys follow no common one; \
         let keys follow in one folder only, and copy that one"
    );
    let lacks = lacks(keys, &newer)?;
    replace(keys, "keyring.cbor", &document)?;
    let after = roots.after(&document)?;
    if after != roots {
        keyring::keep_roots(keys, &after)?;
    }
    Ok(Some(format!(
        "keyring {root}.{fleet} is taken from the store, out of another folder{lacks}"
    )))
}

/// What of a keyring's private halves is not in the folder, in words: they come with it only.
fn lacks(keys: &KeyFolder, keyring: &Keyring) -> anyhow::Result<&'static str> {
    let own = keyring::own_recipients(keys, keyring)?;
    let receipt = keys.signing("receipt.key")?.verifying_key();
    let has_recipient = own.iter().any(|own| own.is_newest);
    Ok(match (has_recipient, keyring.fleet.receipt_keys.contains(&receipt)) {
        (true, true) => "",
        (false, true) => "; copy its recipient keys, too: records are held here until then",
        (_, false) => "; copy its keys, too: nobody believes the receipts of this sink until then",
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use wire::identity::StoreEpoch;
    use wire::keyring::{FleetPart, RootPart, Roots, join};
    use wire::time::UnixNanos;

    use super::*;
    use crate::keys::hex;
    use crate::trust::keeper::{Keeper, Kept};
    use crate::trust::root::{Change, install, request};

    const NOW: UnixNanos = UnixNanos(1);

    /// A folder with all keys of a new site, its root key among them.
    fn site(folder: &Path) -> KeyFolder {
        fs::create_dir(folder).unwrap();
        let keys = KeyFolder(folder.to_owned());
        let make = |file| keyring::make_signing(&keys, file).unwrap();
        let (root, fleet) = (make("root.key"), make("fleet.key"));
        let root_part = RootPart {
            version: 1,
            expires: UnixNanos(i64::MAX),
            fleet_key: fleet.verifying_key(),
            recovery: Vec::new(),
        };
        let fleet_part = FleetPart {
            version: 1,
            recipients: keyring::make_recipients(&keys).unwrap(),
            receipt_keys: vec![make("receipt.key").verifying_key()],
            command_key: make("command.key").verifying_key(),
            formats: (1, 1),
            store_epoch: StoreEpoch([1; 16]),
        };
        let document = join(vec![root_part.sign(&root)], fleet_part.sign(&fleet));
        replace(&keys, "keyring.cbor", &document).unwrap();
        let roots = Roots { keys: vec![root.verifying_key()], needed: 1 };
        keyring::keep_roots(&keys, &roots).unwrap();
        keys
    }

    fn copy(keys: &KeyFolder, folder: &Path) -> KeyFolder {
        fs::create_dir(folder).unwrap();
        for file in fs::read_dir(&keys.0).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
        KeyFolder(folder.to_owned())
    }

    fn keeper(keys: &KeyFolder) -> (Keeper, Kept) {
        Keeper::begin(keys.clone(), 0).unwrap()
    }

    fn versions(keys: &KeyFolder) -> (u64, u64) {
        keyring::load(keys).unwrap().1.versions()
    }

    #[test]
    fn of_two_folders_the_older_one_follows_and_both_publish_the_newest_keyring() {
        let place = tempfile::tempdir().unwrap();
        let (db, one) = (Db::in_memory(), site(&place.path().join("one")));
        let two = copy(&one, &place.path().join("two"));
        let ((first, of_first), (second, of_second)) = (keeper(&one), keeper(&two));
        second.look(&db, NOW).unwrap();

        assert_eq!(keyring::rotate_command_key(&one).unwrap(), 2);
        first.look(&db, NOW).unwrap();
        let taken = second.look(&db, NOW).unwrap();
        let published = of_second.keyring.borrow().clone();
        assert_eq!(keyring::rotate_command_key(&two).unwrap(), 3, "it builds on what it took");
        let none = second.look(&db, NOW).unwrap();
        let back = first.look(&db, NOW).unwrap();

        assert_eq!(taken, ["keyring 1.2 is taken from the store, out of another folder"]);
        assert_eq!(
            Keyring::verify(&published, &keyring::roots(&one).unwrap()).unwrap().versions(),
            (1, 2)
        );
        assert_eq!((none.len(), back.len()), (0, 1), "an older one is never taken: {none:?}");
        assert_eq!((versions(&one), versions(&two)), ((1, 3), (1, 3)));
        assert_eq!(*of_first.keyring.borrow(), *of_second.keyring.borrow());
        assert_eq!(*of_first.keyring.borrow(), one.read("keyring.cbor").unwrap());
    }

    #[test]
    fn what_the_other_folder_has_private_is_named_when_its_keyring_is_taken() {
        let place = tempfile::tempdir().unwrap();
        let (db, one) = (Db::in_memory(), site(&place.path().join("one")));
        let two = copy(&one, &place.path().join("two"));
        keyring::rotate_recipients(&one).unwrap();
        keeper(&one).0.look(&db, NOW).unwrap();

        let taken = take_newer(&two, &db).unwrap().unwrap();

        assert!(taken.contains("copy its recipient keys, too"), "{taken}");
    }

    #[test]
    fn a_folder_follows_to_other_roots_with_the_keyring_that_names_them() {
        let place = tempfile::tempdir().unwrap();
        let (db, one) = (Db::in_memory(), site(&place.path().join("one")));
        let two = copy(&one, &place.path().join("two"));
        let (old, next) =
            (one.signing("root.key").unwrap(), keyring::make_signing(&one, "next.key").unwrap());
        let roots = Some((vec![hex(next.verifying_key().as_bytes())], 1));
        let change = Change { fleet: false, recovery: None, roots, days: 365 };
        let asked = request(&one, change).unwrap();
        let parts = [&old, &next].map(|key| asked.sign(key).unwrap());
        install(&one, &parts).unwrap();
        keeper(&one).0.look(&db, NOW).unwrap();

        keeper(&two).0.look(&db, NOW).unwrap();

        assert_eq!(versions(&two), (2, 2));
        assert_eq!(keyring::roots(&two).unwrap().keys, [next.verifying_key()]);
        assert_eq!(keyring::first_roots(&two).unwrap().keys, [old.verifying_key()]);
    }

    #[test]
    fn a_keyring_of_the_store_that_does_not_hold_here_changes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let (db, own) = (Db::in_memory(), site(&place.path().join("own")));
        let other = site(&place.path().join("other"));
        keyring::rotate_command_key(&other).unwrap();
        let (stranger, older) =
            (other.read("keyring.cbor").unwrap(), own.read("keyring.cbor").unwrap());
        let (keeper, kept) = keeper(&own);

        for document in [&stranger, &older, &b"none".to_vec()] {
            db.batch("DELETE FROM keyring").unwrap();
            db.execute("INSERT INTO keyring VALUES (1, 9, 0, ?1)", values![document]).unwrap();
            let why = format!("{:#}", take_newer(&own, &db).unwrap_err());
            assert!(why.contains("keyring 1.9 of the store") && why.contains("copy"), "{why}");
            assert!(keeper.look(&db, NOW).unwrap().is_empty());
            assert_eq!(own.read("keyring.cbor").unwrap(), older);
            assert_eq!(*kept.keyring.borrow(), older);
        }
    }
}
