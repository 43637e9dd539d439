use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use squall_types::cluster::BlobId;

use super::*;
use crate::config::Size;

const LIMIT: Size = Size::mib(4);

fn id(content: &[u8]) -> BlobId {
    BlobId::from_bytes(Sha256::digest(content).into())
}

/// Keeps files in memory. A crash forgets what wasn't published; room is bounded.
#[derive(Clone)]
struct Memory(Arc<Mutex<Files>>);

struct Files {
    files: BTreeMap<String, Vec<u8>>,
    room: usize,
}

impl Memory {
    fn new(room: usize) -> Self {
        Self(Arc::new(Mutex::new(Files { files: BTreeMap::new(), room })))
    }

    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().files.keys().cloned().collect()
    }

    fn edit(&self, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        edit(self.0.lock().unwrap().files.get_mut(name).unwrap());
    }

    fn answer<T: Send + 'static>(&self, work: impl FnOnce(&mut Files) -> io::Result<T>) -> DiskFuture<'_, T> {
        let done = work(&mut self.0.lock().unwrap());
        Box::pin(std::future::ready(done))
    }
}

impl BlobDisk for Memory {
    fn list(&self) -> DiskFuture<'_, Vec<(String, u64)>> {
        self.answer(|disk| Ok(disk.files.iter().map(|(name, data)| (name.clone(), data.len() as u64)).collect()))
    }

    fn write(&self, name: String, offset: u64, data: Bytes) -> DiskFuture<'_, ()> {
        self.answer(move |disk| {
            let used: usize = disk.files.values().map(Vec::len).sum();
            if used + data.len() > disk.room {
                return Err(ErrorKind::StorageFull.into());
            }
            let file = disk.files.entry(name).or_default();
            file.truncate(offset as usize);
            file.extend_from_slice(&data);
            Ok(())
        })
    }

    fn read(&self, name: String, offset: u64, length: usize) -> DiskFuture<'_, Bytes> {
        self.answer(move |disk| {
            let file = disk.files.get(&name).ok_or(ErrorKind::NotFound)?;
            let rest = file.get(offset as usize..).unwrap_or_default();
            Ok(Bytes::copy_from_slice(&rest[..rest.len().min(length)]))
        })
    }

    fn publish(&self, from: String, to: String) -> DiskFuture<'_, ()> {
        self.answer(move |disk| {
            let data = disk.files.remove(&from).ok_or(ErrorKind::NotFound)?;
            disk.files.insert(to, data);
            Ok(())
        })
    }

    fn remove(&self, name: String) -> DiskFuture<'_, ()> {
        self.answer(move |disk| {
            disk.files.remove(&name);
            Ok(())
        })
    }
}

async fn open(disk: &Memory) -> BlobStore {
    BlobStore::open(Arc::new(disk.clone()), LIMIT).await.unwrap()
}

async fn put(store: &BlobStore, content: &[u8]) -> Result<u64, BlobError> {
    let mut upload = store.upload(id(content), content.len() as u64, 0).await?;
    for chunk in content.chunks(1_000) {
        upload.write(Bytes::copy_from_slice(chunk)).await?;
    }
    upload.finish().await
}

async fn get(store: &BlobStore, id: BlobId, offset: u64) -> Result<Vec<u8>, BlobError> {
    let mut download = store.get(id, offset).await?;
    let mut content = Vec::new();
    while let Some(data) = download.next().await? {
        content.extend_from_slice(&data);
    }
    Ok(content)
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

#[tokio::test]
async fn what_was_put_is_given_whole_and_from_any_offset_and_listed() {
    let store = open(&Memory::new(1 << 20)).await;
    for length in [0, 1, 700_000] {
        let content = content(length);
        assert_eq!(put(&store, &content).await.unwrap(), length as u64);
        assert_eq!(get(&store, id(&content), 0).await.unwrap(), content);
        let half = length / 2;
        assert_eq!(get(&store, id(&content), half as u64).await.unwrap(), &content[half..]);
        assert_eq!(get(&store, id(&content), length as u64 + 9).await.unwrap(), b"");
    }
    assert_eq!(store.list().len(), 3);
    assert!(matches!(get(&store, id(b"other"), 0).await, Err(BlobError::Missing(_))));
}

#[tokio::test]
async fn nothing_is_visible_before_all_of_it_is_there() {
    let disk = Memory::new(1 << 20);
    let store = open(&disk).await;
    let content = content(5_000);
    let mut upload = store.upload(id(&content), 5_000, 0).await.unwrap();
    upload.write(content[..4_999].to_vec().into()).await.unwrap();
    assert_eq!((store.size(id(&content)), store.list()), (None, Vec::new()));
    assert!(matches!(store.get(id(&content), 0).await, Err(BlobError::Missing(_))));
    assert!(matches!(upload.finish().await, Err(BlobError::Length { announced: 5_000, received: 4_999, .. })));
    assert_eq!(store.received(id(&content)), 4_999);
}

#[tokio::test]
async fn a_broken_upload_goes_on_where_it_stopped_also_after_a_restart() {
    let disk = Memory::new(1 << 20);
    let content = content(5_000);
    let id = id(&content);
    let mut upload = open(&disk).await.upload(id, 5_000, 0).await.unwrap();
    upload.write(content[..3_000].to_vec().into()).await.unwrap();
    drop(upload);

    let store = open(&disk).await;
    assert_eq!(store.received(id), 3_000);
    assert!(matches!(store.upload(id, 5_000, 2_000).await, Err(BlobError::Offset { received: 3_000, .. })));
    let mut upload = store.upload(id, 5_000, 3_000).await.unwrap();
    assert_eq!(upload.received(), 3_000);
    upload.write(content[3_000..].to_vec().into()).await.unwrap();
    assert_eq!(upload.finish().await.unwrap(), 5_000);
    assert_eq!(get(&store, id, 0).await.unwrap(), content);
    assert_eq!(disk.names(), [id.to_string()]);
}

#[tokio::test]
async fn other_bytes_than_the_name_says_are_refused_and_gone() {
    let disk = Memory::new(1 << 20);
    let store = open(&disk).await;
    let wanted = id(b"this");
    let mut upload = store.upload(wanted, 4, 0).await.unwrap();
    upload.write(Bytes::from_static(b"that")).await.unwrap();
    let error = upload.finish().await.unwrap_err();
    assert!(matches!(error, BlobError::Mismatch { found, .. } if found == id(b"that")), "{error}");
    assert_eq!((disk.names(), store.received(wanted)), (Vec::new(), 0));
    put(&store, b"this").await.unwrap();
}

#[tokio::test]
async fn a_part_that_a_crash_spoilt_is_found_out_and_started_anew() {
    let disk = Memory::new(1 << 20);
    let content = content(5_000);
    let mut upload = open(&disk).await.upload(id(&content), 5_000, 0).await.unwrap();
    upload.write(content[..3_000].to_vec().into()).await.unwrap();
    drop(upload);
    disk.edit(&format!("{}.part", id(&content)), |data| data[100] ^= 1);

    let store = open(&disk).await;
    let mut upload = store.upload(id(&content), 5_000, 3_000).await.unwrap();
    upload.write(content[3_000..].to_vec().into()).await.unwrap();
    assert!(matches!(upload.finish().await, Err(BlobError::Mismatch { .. })));
    assert_eq!(store.received(id(&content)), 0);
    put(&store, &content).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_costs_the_upload_and_nothing_else() {
    let disk = Memory::new(6_000);
    let store = open(&disk).await;
    put(&store, &content(5_000)).await.unwrap();
    let error = put(&store, &content(2_000)).await.unwrap_err();
    assert_eq!((error.code().number(), disk.names()), (6301, vec![id(&content(5_000)).to_string()]));
    put(&store, &content(900)).await.unwrap();
    assert_eq!(get(&store, id(&content(5_000)), 0).await.unwrap(), content(5_000));
}

#[tokio::test]
async fn a_damaged_package_is_found_after_a_restart_and_makes_room_for_a_good_one() {
    let disk = Memory::new(1 << 20);
    let content = content(5_000);
    put(&open(&disk).await, &content).await.unwrap();
    for damage in [(|data| data[4_999] ^= 0x80) as fn(&mut Vec<u8>), |data| data.truncate(10), |data| data.push(0)] {
        disk.edit(&id(&content).to_string(), damage);
        let store = open(&disk).await;
        assert!(matches!(store.get(id(&content), 0).await, Err(BlobError::Damaged(_))));
        assert!(matches!(store.get(id(&content), 0).await, Err(BlobError::Missing(_))));
        assert_eq!((store.list(), disk.names()), (Vec::new(), Vec::new()));
        put(&store, &content).await.unwrap();
        assert_eq!(get(&store, id(&content), 0).await.unwrap(), content);
    }
}

#[tokio::test]
async fn one_upload_of_a_package_at_a_time_and_the_next_when_it_ends() {
    let store = open(&Memory::new(1 << 20)).await;
    let first = store.upload(id(b"x"), 1, 0).await.unwrap();
    assert!(matches!(store.upload(id(b"x"), 1, 0).await, Err(BlobError::Busy(_))));
    assert!(matches!(store.remove(id(b"x")).await, Err(BlobError::Busy(_))));
    put(&store, b"y").await.unwrap();
    drop(first);
    put(&store, b"x").await.unwrap();
    // A second upload of what is there changes nothing.
    put(&store, b"x").await.unwrap();
    assert_eq!(store.upload(id(b"x"), 1, 1).await.unwrap().finish().await.unwrap(), 1);
    assert_eq!(store.list().len(), 2);
}

#[tokio::test]
async fn more_than_was_announced_or_allowed_is_refused() {
    let store = open(&Memory::new(1 << 20)).await;
    let mut upload = store.upload(id(b"xy"), 1, 0).await.unwrap();
    assert!(matches!(upload.write(Bytes::from_static(b"xy")).await, Err(BlobError::Length { .. })));
    assert!(matches!(store.upload(id(b"z"), LIMIT.get() + 1, 0).await, Err(BlobError::TooLarge { .. })));
}

#[tokio::test]
async fn what_was_removed_is_gone_from_the_disk() {
    let disk = Memory::new(1 << 20);
    let store = open(&disk).await;
    put(&store, b"x").await.unwrap();
    store.remove(id(b"x")).await.unwrap();
    store.remove(id(b"x")).await.unwrap();
    assert_eq!((store.list(), disk.names()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn the_real_disk_does_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("data/blobs");
    let real = || BlobStore::open(Arc::new(FileDisk::open(&folder).unwrap()), LIMIT);
    let content = content(700_000);
    let id = id(&content);
    let store = real().await.unwrap();
    let mut upload = store.upload(id, 700_000, 0).await.unwrap();
    upload.write(content[..600_000].to_vec().into()).await.unwrap();
    drop(upload);

    // Files that aren't the store's are let be.
    std::fs::write(folder.join("lost+found"), "x").unwrap();
    let store = real().await.unwrap();
    let mut upload = store.upload(id, 700_000, 600_000).await.unwrap();
    upload.write(content[600_000..].to_vec().into()).await.unwrap();
    upload.finish().await.unwrap();
    put(&store, b"").await.unwrap();

    let store = real().await.unwrap();
    assert_eq!(get(&store, id, 0).await.unwrap(), content);
    assert_eq!(store.list().len(), 2);
    store.remove(id).await.unwrap();
    std::fs::write(folder.join(self::id(b"").to_string()), "spoilt").unwrap();
    let store = real().await.unwrap();
    assert!(matches!(store.get(self::id(b""), 0).await, Err(BlobError::Damaged(_))));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

proptest! {
    #[test]
    fn however_an_upload_is_cut_and_resumed_it_is_whole_or_not_there(
        length in 1_usize..20_000,
        cuts in proptest::collection::vec(1_usize..8_000, 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async move {
            let disk = Memory::new(1 << 20);
            let content = content(length);
            for cut in cuts {
                let store = open(&disk).await;
                let from = store.received(id(&content));
                let mut upload = store.upload(id(&content), length as u64, from).await.unwrap();
                let to = (from as usize + cut).min(length);
                upload.write(content[from as usize..to].to_vec().into()).await.unwrap();
                assert!(store.size(id(&content)).is_none());
            }
            let store = open(&disk).await;
            let from = store.received(id(&content));
            let mut upload = store.upload(id(&content), length as u64, from).await.unwrap();
            upload.write(content[from as usize..].to_vec().into()).await.unwrap();
            upload.finish().await.unwrap();
            assert_eq!(get(&store, id(&content), 0).await.unwrap(), content);
        });
    }

    #[test]
    fn whatever_lies_in_the_folder_is_a_package_only_if_it_is_what_its_name_says(
        names in proptest::collection::vec("[0-9a-f]{64}(\\.part)?|\\PC{0,20}|\\.part", 0..6),
        data in proptest::collection::vec(any::<u8>(), 0..50),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async move {
            let disk = Memory::new(1 << 20);
            for name in names {
                disk.0.lock().unwrap().files.insert(name, data.clone());
            }
            let store = open(&disk).await;
            for kept in store.list() {
                let found = get(&store, kept.id, 0).await;
                assert!(found.is_err() || id(&found.unwrap()) == kept.id);
            }
            put(&store, &data).await.unwrap();
            assert_eq!(get(&store, id(&data), 0).await.unwrap(), data);
        });
    }
}
