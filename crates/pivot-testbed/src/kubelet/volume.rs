//! The volumes of a pod, each a folder that is filled before its containers start, and not again.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Component, Path},
};

use k8s_openapi::api::{
    authentication::v1::BoundObjectReference,
    core::v1::{DownwardAPIVolumeFile, KeyToPath, Pod, Volume, VolumeProjection},
};

use super::{Setback, environment, source::Sources};

/// The mode of a volume's files where nothing else is asked for.
const MODE: i32 = 0o644;

/// A file of a volume: path in it, content, mode.
struct Item {
    path: String,
    content: Vec<u8>,
    mode: Option<i32>,
}

/// Fills the volume's folder, which is a new one.
pub(super) async fn fill(
    volume: &Volume,
    pod: &Pod,
    sources: &Sources,
    folder: &Path,
) -> Result<(), Setback> {
    fs::create_dir_all(folder).map_err(|error| Setback::file(folder, &error))?;
    let (items, mode) = if volume.empty_dir.is_some() {
        (Vec::new(), None)
    } else if let Some(from) = &volume.config_map {
        let data = sources.config_map(&from.name, from.optional).await?;
        (pick(data, from.items.as_deref(), from.optional)?, from.default_mode)
    } else if let Some(from) = &volume.secret {
        let data = sources.secret(from.secret_name.as_deref().unwrap_or_default(), from.optional).await?;
        (pick(data, from.items.as_deref(), from.optional)?, from.default_mode)
    } else if let Some(from) = &volume.downward_api {
        (downward(from.items.as_deref().unwrap_or_default(), pod)?, from.default_mode)
    } else if let Some(from) = &volume.projected {
        let mut items = Vec::new();
        for projection in from.sources.iter().flatten() {
            items.extend(project(projection, pod, sources).await?);
        }
        (items, from.default_mode)
    } else {
        return Err(Setback::unsupported("kind of volume", &volume.name));
    };
    items.iter().try_for_each(|item| write(item, folder, mode.unwrap_or(MODE)))
}

async fn project(projection: &VolumeProjection, pod: &Pod, sources: &Sources) -> Result<Vec<Item>, Setback> {
    if let Some(from) = &projection.config_map {
        let data = sources.config_map(&from.name, from.optional).await?;
        return pick(data, from.items.as_deref(), from.optional);
    }
    if let Some(from) = &projection.secret {
        let data = sources.secret(&from.name, from.optional).await?;
        return pick(data, from.items.as_deref(), from.optional);
    }
    if let Some(from) = &projection.downward_api {
        return downward(from.items.as_deref().unwrap_or_default(), pod);
    }
    let Some(from) = &projection.service_account_token else {
        return Err(Setback::unsupported("projection", "source"));
    };
    let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref());
    let bound = BoundObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
    };
    let token = sources
        .token(account.unwrap_or("default"), from.audience.as_deref(), from.expiration_seconds, bound)
        .await?;
    Ok(vec![Item { path: from.path.clone(), content: token.into_bytes(), mode: None }])
}

/// Every key as a file, or the keys asked for under the names asked for.
fn pick(
    mut data: BTreeMap<String, Vec<u8>>,
    items: Option<&[KeyToPath]>,
    optional: Option<bool>,
) -> Result<Vec<Item>, Setback> {
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        let all = data.into_iter().map(|(path, content)| Item { path, content, mode: None });
        return Ok(all.collect());
    };
    let mut picked = Vec::new();
    for item in items {
        match data.remove(&item.key) {
            Some(content) => picked.push(Item { path: item.path.clone(), content, mode: item.mode }),
            None if optional == Some(true) => {}
            None => return Err(Setback::new(format!("no key {} for a volume", item.key))),
        }
    }
    Ok(picked)
}

fn downward(files: &[DownwardAPIVolumeFile], pod: &Pod) -> Result<Vec<Item>, Setback> {
    let item = |file: &DownwardAPIVolumeFile| {
        let selector =
            file.field_ref.as_ref().ok_or_else(|| Setback::unsupported("downward file", &file.path))?;
        let content = match (selector.field_path.as_str(), &pod.metadata) {
            ("metadata.labels", metadata) => lines(metadata.labels.as_ref()),
            ("metadata.annotations", metadata) => lines(metadata.annotations.as_ref()),
            _ => environment::field(selector, pod)?,
        };
        Ok(Item { path: file.path.clone(), content: content.into_bytes(), mode: file.mode })
    };
    files.iter().map(item).collect()
}

fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let lines: Vec<String> =
        map.into_iter().flatten().map(|(key, value)| format!("{key}={value:?}")).collect();
    lines.join("\n")
}

fn write(item: &Item, folder: &Path, mode: i32) -> Result<(), Setback> {
    let relative = Path::new(&item.path);
    if relative.components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(Setback::new(format!("{} leads out of its volume", item.path)));
    }
    let path = folder.join(relative);
    let parent = path.parent().unwrap_or(folder);
    let mode = u32::try_from(item.mode.unwrap_or(mode)).unwrap_or_default();
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&path, &item.content))
        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
        .map_err(|error| Setback::file(&path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_in_their_volume() {
        let folder = tempfile::tempdir().unwrap();
        let item = |path: &str| Item { path: path.to_owned(), content: b"x".to_vec(), mode: Some(0o400) };
        write(&item("deep/file"), folder.path(), MODE).unwrap();
        let mode = fs::metadata(folder.path().join("deep/file")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400);
        assert!(write(&item("../file"), folder.path(), MODE).is_err());
        assert!(write(&item("/etc/file"), folder.path(), MODE).is_err());
    }

    #[test]
    fn a_key_that_is_asked_for_must_be_there() {
        let data = BTreeMap::from([("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"2".to_vec())]);
        let wanted = [KeyToPath { key: "a".to_owned(), path: "as/c".to_owned(), mode: None }];
        let picked = pick(data.clone(), Some(&wanted), None).unwrap();
        assert_eq!(picked.len(), 1);
        assert_eq!((picked[0].path.as_str(), picked[0].content.as_slice()), ("as/c", b"1".as_slice()));
        assert_eq!(pick(data, None, None).unwrap().len(), 2);
        assert!(pick(BTreeMap::new(), Some(&wanted), None).is_err());
        assert!(pick(BTreeMap::new(), Some(&wanted), Some(true)).unwrap().is_empty());
    }
}
