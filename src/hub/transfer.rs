use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::ask::Pace;
use super::error::HubError;
use super::listing::{Hub, Listing, Remote};
use super::sum::Adder;

/// So many times in a row a transfer may end without having got on.
const ATTEMPTS: u32 = 5;
/// What counts as getting on: a server that ends each connection after a byte would be asked for ever.
const STEP: u64 = 1 << 20;
const BUFFER: usize = 1 << 16;

impl Hub {
    /// Brings a file of a listing into `folder`, from the hub's cache on this machine or from the hub.
    /// What an interrupted transfer left in `NAME.part` is gone on from. `so_far` hears how many bytes of
    /// the file are there. A file that is there already was checked when it came.
    ///
    /// # Errors
    /// What the hub answers instead, a connection that keeps breaking, bytes that do not add up, a full
    /// disk.
    pub fn fetch(
        &self,
        listing: &Listing,
        file: &Remote,
        folder: &Path,
        so_far: &mut dyn FnMut(u64),
    ) -> Result<(), HubError> {
        let place = folder.join(&file.path);
        if fs::metadata(&place).is_ok_and(|m| m.len() == file.size) {
            so_far(file.size);
            return Ok(());
        }
        let mut part = Part::open(folder, file)?;
        if part.length == 0
            && let Some(cached) = self.cached(listing, file)
            && part.copy(&cached).is_err()
        {
            part.clear()?;
        }
        // How far it ever was: one that starts over and over gets nowhere.
        let (mut attempt, mut farthest) = (0, part.length);
        while part.length < file.size {
            let result = self.once(listing, &mut part, so_far);
            if part.length >= file.size {
                break;
            }
            if part.length >= farthest + STEP.min(1 + file.size / 100) {
                (attempt, farthest) = (0, part.length);
            } else {
                attempt += 1;
            }
            match result {
                Ok(()) if attempt < ATTEMPTS => {}
                Ok(()) => {
                    let why = "it sends other pieces than were asked for".to_owned();
                    return Err(HubError::Odd { what: file.path.clone(), why });
                }
                Err(e) if e.may_pass() && attempt < ATTEMPTS => {}
                Err(e) => return Err(e),
            }
            thread::sleep(Duration::from_millis(100 << attempt.min(ATTEMPTS)));
        }
        part.finish(&place)?;
        so_far(file.size);
        Ok(())
    }

    /// One request for what is missing.
    fn once(
        &self,
        listing: &Listing,
        part: &mut Part,
        so_far: &mut dyn FnMut(u64),
    ) -> Result<(), HubError> {
        let what = format!("{}/{}", listing.name, part.file.path);
        let mut response = self.ask(&what, &self.address(listing, part.file), part.length)?;
        let range = response.headers().get("content-range").and_then(|v| v.to_str().ok());
        let from =
            range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
        match response.status().as_u16() {
            206 if from == Some(part.length) => {}
            // The server sends all of it, or another piece than was asked for.
            200 => part.clear()?,
            206 | 416 if part.length > 0 => return part.clear(),
            status => return Err(HubError::of_status(&what, status)),
        }
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; BUFFER];
        let (pace, mut since, mut brought) = (Pace::from_env(), Instant::now(), 0);
        loop {
            let n = body.read(&mut buffer).map_err(|e| HubError::network(&what, &e))?;
            if n == 0 {
                break;
            }
            part.add(buffer.get(..n).unwrap_or_default())?;
            so_far(part.length);
            brought += n as u64;
            if since.elapsed() >= pace.every {
                if brought < pace.bytes {
                    return Err(HubError::network(&what, &"the server sends next to nothing"));
                }
                (since, brought) = (Instant::now(), 0);
            }
        }
        if part.length < part.file.size {
            return Err(HubError::network(&what, &"the connection ended too early"));
        }
        Ok(())
    }
}

/// A file on its way: what is there of it, and what that adds up to.
struct Part<'a> {
    file: &'a Remote,
    path: PathBuf,
    handle: File,
    length: u64,
    sum: Adder,
}

impl<'a> Part<'a> {
    fn open(folder: &Path, file: &'a Remote) -> Result<Self, HubError> {
        let path = folder.join(format!("{}.part", file.path));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(HubError::write(parent))?;
        }
        let handle = OpenOptions::new().create(true).append(true).read(true).open(&path);
        let handle = handle.map_err(HubError::write(&path))?;
        let mut part = Self { file, path, handle, length: 0, sum: file.sum.start(file.size) };
        let mut buffer = vec![0; BUFFER];
        loop {
            let n = part.handle.read(&mut buffer).map_err(HubError::write(&part.path))?;
            part.length += n as u64;
            part.sum.add(buffer.get(..n).unwrap_or_default());
            if n == 0 {
                break;
            }
        }
        if part.length > file.size {
            part.clear()?;
        }
        Ok(part)
    }

    /// Starts over.
    fn clear(&mut self) -> Result<(), HubError> {
        self.handle.set_len(0).map_err(HubError::write(&self.path))?;
        self.length = 0;
        self.sum = self.file.sum.start(self.file.size);
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        if self.length + bytes.len() as u64 > self.file.size {
            self.clear()?;
            let (what, size) = (self.file.path.clone(), self.file.size);
            let why = format!("it sends more than the {size} bytes that it announced");
            return Err(HubError::Odd { what, why });
        }
        self.handle.write_all(bytes).map_err(HubError::write(&self.path))?;
        self.length += bytes.len() as u64;
        self.sum.add(bytes);
        Ok(())
    }

    fn copy(&mut self, from: &Path) -> Result<(), HubError> {
        let mut from = File::open(from).map_err(HubError::write(from))?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let n = from.read(&mut buffer).map_err(HubError::write(&self.path))?;
            if n == 0 {
                return Ok(());
            }
            self.add(buffer.get(..n).unwrap_or_default())?;
        }
    }

    /// Compares, and gives the file its name.
    fn finish(self, place: &Path) -> Result<(), HubError> {
        let got = self.sum.finish();
        if got != self.file.sum {
            fs::remove_file(&self.path).map_err(HubError::write(&self.path))?;
            return Err(HubError::Checksum {
                file: self.file.path.clone(),
                got: got.to_string(),
                want: self.file.sum.to_string(),
            });
        }
        let done: io::Result<()> =
            self.handle.sync_all().and_then(|()| fs::rename(&self.path, place));
        done.map_err(HubError::write(place))
    }
}
