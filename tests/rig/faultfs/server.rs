//! Answers the kernel from the medium. Nothing is cached there: what a cut takes nobody sees again.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::lock;
use super::medium::{Body, Content, Medium, Names, Node};

/// How long the kernel may believe an answer.
const BELIEVED: Duration = Duration::ZERO;
/// Size of the medium, blocks.
const BLOCKS: u64 = 1 << 20;
/// Size of a block, bytes.
const BLOCK_BYTES: u32 = 4096;
/// Kind of an inode in a mode.
const KIND_MASK: u32 = 0o170_000;
const SOCKET_KIND: u32 = 0o140_000;
const FILE_KIND: u32 = 0o100_000;

/// The file system as the kernel asks it.
pub struct Server(pub Arc<Mutex<Medium>>);

impl Server {
    fn sync(&self, inode: INodeNo, data_only: bool) -> Result<(), Errno> {
        let takes = lock(&self.0).sync_time();
        std::thread::sleep(takes);
        lock(&self.0).sync(inode.0, data_only)
    }

    fn make(&self, parent: INodeNo, name: &OsStr, node: Node) -> Result<FileAttr, Errno> {
        let mut medium = lock(&self.0);
        let inode = medium.make(parent.0, text(name)?, node)?;
        attributes(&medium, inode)
    }
}

fn text(name: &OsStr) -> Result<&str, Errno> {
    name.to_str().ok_or(Errno::EINVAL)
}

fn attributes(medium: &Medium, inode: u64) -> Result<FileAttr, Errno> {
    let node = medium.node(inode)?;
    let (kind, size) = match &node.body {
        Body::File(content) => (FileType::RegularFile, content.now.len() as u64),
        Body::Folder(_) => (FileType::Directory, 0),
        Body::Socket => (FileType::Socket, 0),
    };
    Ok(FileAttr {
        ino: INodeNo(inode),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm: node.mode,
        nlink: 1,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    })
}

fn node(mode: u32, umask: u32, body: Body) -> Node {
    Node { mode: (mode & !umask & 0o7777) as u16, body }
}

fn enter(reply: ReplyEntry, made: Result<FileAttr, Errno>) {
    match made {
        Ok(attributes) => reply.entry(&BELIEVED, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn done(reply: ReplyEmpty, result: Result<(), Errno>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let medium = lock(&self.0);
        let found = text(name).and_then(|name| medium.find(parent.0, name));
        enter(reply, found.and_then(|inode| attributes(&medium, inode)));
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match attributes(&lock(&self.0), inode.0) {
            Ok(attributes) => reply.attr(&BELIEVED, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut medium = lock(&self.0);
        let permitted = mode.map(|mode| medium.permit(inode.0, (mode & 0o7777) as u16));
        let resized = size.map(|size| medium.resize(inode.0, size as usize));
        let changed = permitted.unwrap_or(Ok(())).and(resized.unwrap_or(Ok(())));
        match changed.and_then(|()| attributes(&medium, inode.0)) {
            Ok(attributes) => reply.attr(&BELIEVED, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn mknod(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let body = match mode & KIND_MASK {
            SOCKET_KIND => Body::Socket,
            FILE_KIND => Body::File(Content::default()),
            _ => return reply.error(Errno::EPERM),
        };
        enter(reply, self.make(parent, name, node(mode, umask, body)));
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let body = Body::Folder(Names::default());
        enter(reply, self.make(parent, name, node(mode, umask, body)));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(reply, text(name).and_then(|name| lock(&self.0).remove(parent.0, name)));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(reply, text(name).and_then(|name| lock(&self.0).remove(parent.0, name)));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        parent_new: INodeNo,
        name_new: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if parent != parent_new || !flags.is_empty() {
            return reply.error(Errno::EXDEV);
        }
        let renamed = text(name).and_then(|from| {
            let to = text(name_new)?;
            lock(&self.0).rename(parent.0, from, to)
        });
        done(reply, renamed);
    }

    fn open(&self, _: &Request, inode: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let medium = lock(&self.0);
        let writes = flags.acc_mode() != fuser::OpenAccMode::O_RDONLY;
        match medium.content(inode.0) {
            Ok(_) if writes && medium.faults.read_only => reply.error(Errno::EROFS),
            Ok(_) => reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO),
            Err(error) => reply.error(error),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let body = Body::File(Content::default());
        match self.make(parent, name, node(mode, umask, body)) {
            Ok(made) => {
                let direct = FopenFlags::FOPEN_DIRECT_IO;
                reply.created(&BELIEVED, &made, Generation(0), FileHandle(0), direct);
            }
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match lock(&self.0).content(inode.0) {
            Ok(Content { now, .. }) => {
                let from = (offset as usize).min(now.len());
                reply.data(&now[from..(from + size as usize).min(now.len())]);
            }
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match lock(&self.0).write(inode.0, offset as usize, data) {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error),
        }
    }

    fn fsync(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        data_only: bool,
        reply: ReplyEmpty,
    ) {
        done(reply, self.sync(inode, data_only));
    }

    fn fsyncdir(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        data_only: bool,
        reply: ReplyEmpty,
    ) {
        done(reply, self.sync(inode, data_only));
    }

    fn readdir(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let medium = lock(&self.0);
        let names = match medium.names(inode.0) {
            Ok(names) => names.now.iter().enumerate().skip(offset as usize),
            Err(error) => return reply.error(error),
        };
        for (at, (name, inode)) in names {
            let kind = attributes(&medium, *inode).map_or(FileType::RegularFile, |a| a.kind);
            if reply.add(INodeNo(*inode), at as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let used = lock(&self.0).used_bytes().div_ceil(BLOCK_BYTES.into());
        let free = BLOCKS.saturating_sub(used);
        reply.statfs(BLOCKS, free, free, BLOCKS, BLOCKS, BLOCK_BYTES, 255, BLOCK_BYTES);
    }
}
