//! Directories that are not taken.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use pivot_core::bundle::MANIFEST_FILE;
use pivot_testbed::assets_or_skip;
use serde_json::{Value, json};

use crate::desk::Desk;

/// Ends of a message after the name of the directory.
#[track_caller]
fn assert_says(message: &str, expected: &str) {
    assert!(message.contains(expected), "{message}\nlacks\n{expected}");
}

#[tokio::test]
async fn a_directory_of_ours_that_is_not_whole() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "damaged", 1).await;
    desk.export().await.unwrap();
    let secret = format!("Secret_{}_test1-kubeconfig.yaml", desk.namespace());
    let whole = fs::read(desk.file(&secret)).unwrap();

    // One bit.
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(desk.file(&secret), damaged).unwrap();
    assert_says(&desk.refused().await, &format!("is refused: {secret} was changed after it was written"));
    // The end.
    fs::write(desk.file(&secret), &whole[..whole.len() / 2]).unwrap();
    assert_says(&desk.refused().await, &format!("{secret} was changed after it was written"));
    // All of it.
    fs::remove_file(desk.file(&secret)).unwrap();
    assert_says(&desk.refused().await, &format!("{secret} is missing"));
    // Something of the same content, elsewhere.
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    fs::write(elsewhere.path(), &whole).unwrap();
    symlink(elsewhere.path(), desk.file(&secret)).unwrap();
    assert_says(&desk.refused().await, &format!("{secret} is a symbolic link, not a file"));
    fs::remove_file(desk.file(&secret)).unwrap();
    fs::write(desk.file(&secret), &whole).unwrap();
    // Something more.
    fs::write(desk.file("Secret_a_b.yaml"), "{}").unwrap();
    assert_says(&desk.refused().await, "Secret_a_b.yaml does not belong there");
    fs::remove_file(desk.file("Secret_a_b.yaml")).unwrap();
    fs::create_dir(desk.file("deeper")).unwrap();
    assert_says(&desk.refused().await, "deeper is a directory, not a file");
    fs::remove_dir(desk.file("deeper")).unwrap();

    let manifest = fs::read_to_string(desk.file(MANIFEST_FILE)).unwrap();
    fs::write(desk.file(MANIFEST_FILE), manifest.replace("export-1", "export-2")).unwrap();
    assert_says(&desk.refused().await, "the manifest was changed after it was written");
    fs::write(desk.file(MANIFEST_FILE), manifest.replace("\"format\": 1", "\"format\": 2")).unwrap();
    assert_says(&desk.refused().await, "the manifest has format 2; this version of pivotctl reads format 1");
    fs::write(desk.file(MANIFEST_FILE), &manifest).unwrap();

    // Whole again; that others could have read it is told.
    fs::set_permissions(desk.file(&secret), fs::Permissions::from_mode(0o644)).unwrap();
    let told = format!("{:?}", desk.imported().await);
    assert_says(&told, "others than their owner may read or change 1 files");
}

#[tokio::test]
async fn a_directory_without_manifest_that_is_not_what_clusterctl_writes() {
    let assets = assets_or_skip!();
    let desk = Desk::new(&assets, "strict", 1).await;
    desk.export().await.unwrap();
    desk.without_manifest();
    let secret = format!("Secret_{}_test1-kubeconfig.yaml", desk.namespace());
    let whole = fs::read(desk.file(&secret)).unwrap();
    let object: Value = serde_json::from_slice(&whole).unwrap();

    fs::write(desk.file(&secret), &whole[..whole.len() - 20]).unwrap();
    assert_says(
        &desk.refused().await,
        &format!("{secret} line 1 column {}: the file ends in the middle of the object", whole.len() - 20),
    );
    fs::write(desk.file(&secret), String::from_utf8(whole.clone()).unwrap().replacen(':', " ", 1)).unwrap();
    assert_says(&desk.refused().await, "not valid JSON");
    fs::write(desk.file(&secret), "").unwrap();
    assert_says(&desk.refused().await, &secret);
    let mut other = object.clone();
    other["metadata"]["name"] = "other".into();
    fs::write(desk.file(&secret), other.to_string()).unwrap();
    assert_says(
        &desk.refused().await,
        &format!("{secret} holds Secret {}/other, whose file is", desk.namespace()),
    );
    fs::write(desk.file(&secret), &whole).unwrap();

    fs::write(desk.file("notes.txt"), "").unwrap();
    assert_says(&desk.refused().await, "notes.txt does not belong there");
    fs::remove_file(desk.file("notes.txt")).unwrap();

    let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"name": "w", "namespace": desk.namespace(), "uid": "00000000-0000-4000-8000-00000000abcd"}});
    let name = format!("Widget_{}_w.yaml", desk.namespace());
    fs::write(desk.file(&name), widget.to_string()).unwrap();
    let message = desk.refused().await;
    assert_says(&message, "[kind-missing]");
    assert_says(&message, "Widget.example.com");
    fs::remove_file(desk.file(&name)).unwrap();

    fs::remove_dir_all(desk.path()).unwrap();
    assert_says(&desk.refused().await, "cannot open");
    fs::create_dir(desk.path()).unwrap();
    assert_says(&desk.refused().await, "[nothing-to-move]");
}
