//! One file of the log. Appends only; knows nothing of what it holds.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::record::RecordError;

/// No buffer is kept that is larger.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// The segment being written.
#[derive(Debug)]
pub(in crate::record) struct Segment {
    number: u64,
    path: PathBuf,
    file: Arc<File>,
    bytes: u64,
    spare: Vec<u8>,
}

/// The path of a segment.
pub(in crate::record) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:08}.log"))
}

impl Segment {
    /// Creates the file of a new segment; refuses one that is there already.
    pub(in crate::record) fn create(directory: &Path, number: u64) -> Result<Self, RecordError> {
        let path = segment_path(directory, number);
        let failed = |error| RecordError::file("create", &path, error);
        let file = fs::OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        // The directory entry must be as durable as what will be written.
        File::open(directory).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(Self { number, file: Arc::new(file), bytes: 0, spare: Vec::new(), path })
    }

    /// Opens the last segment to continue after `bytes`, cutting off what stands behind.
    pub(in crate::record) fn reopen(directory: &Path, number: u64, bytes: u64) -> Result<Self, RecordError> {
        let path = segment_path(directory, number);
        let failed = |error| RecordError::file("open", &path, error);
        let file = fs::OpenOptions::new().append(true).open(&path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() > bytes {
            file.set_len(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        Ok(Self { number, file: Arc::new(file), bytes, spare: Vec::new(), path })
    }

    pub(in crate::record) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// To sync without holding up those who write.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// The buffer to be written next, swapped with the one that gathers.
    pub(super) fn spare(&mut self) -> &mut Vec<u8> {
        &mut self.spare
    }

    /// Writes the spare buffer and empties it. After an error the file may hold a part of it.
    pub(super) fn write_spare(&mut self) -> io::Result<()> {
        let result = (&*self.file).write_all(&self.spare);
        self.bytes += u64::try_from(self.spare.len()).unwrap_or_default();
        self.spare.clear();
        self.spare.shrink_to(KEPT_BUFFER_BYTES);
        result
    }

    #[cfg(test)]
    pub(super) fn replace_file(&mut self, file: File) {
        self.file = Arc::new(file);
    }
}
