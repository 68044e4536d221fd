//! Decompression into memory of the size that the page's header declared.

use std::io::Read;

use parquet::basic::Compression;
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use crate::encoding::{Decoded, Fault, corrupt};
use crate::error::Error;

/// The binary logarithm of the window that a stream may reserve: 8 MiB, that of the highest usual level.
const LARGEST_WINDOW: u32 = 23;

/// Whether pages of this codec can be decompressed here.
pub(crate) fn is_known(codec: Compression) -> bool {
    !matches!(codec, Compression::LZO)
}

/// Refuses a size that no sound page of `stored` bytes has, before there is memory for it.
pub(crate) fn check_size(codec: Compression, stored: usize, size: usize) -> Decoded<()> {
    // The most that a byte can become.
    let most = match codec {
        Compression::UNCOMPRESSED => 1,
        Compression::SNAPPY => 64,
        Compression::LZ4_RAW => 256,
        Compression::GZIP(_) => 1032,
        // A block of 128 KiB takes four bytes.
        Compression::ZSTD(_) => 1 << 15,
        Compression::BROTLI(_) | Compression::LZ4 | Compression::LZO => usize::MAX,
    };
    if stored.saturating_add(8).saturating_mul(most) < size {
        return corrupt(format!("{stored} bytes cannot become {size}"));
    }
    Ok(())
}

/// Fills `out` with what `stored` becomes, which must be exactly that much.
pub(super) fn decompress(
    codec: Compression,
    stored: &[u8],
    out: &mut [u8],
    zstd: &mut Option<DCtx<'static>>,
) -> Decoded<()> {
    let found = match codec {
        Compression::UNCOMPRESSED if stored.len() == out.len() => {
            out.copy_from_slice(stored);
            Ok(stored.len())
        }
        Compression::UNCOMPRESSED => Err("its bytes are not compressed".to_owned()),
        // An empty page may have no frame at all.
        _ if out.is_empty() => Ok(0),
        Compression::ZSTD(_) => context(zstd)?.decompress(out, stored).map_err(zstd_text),
        Compression::SNAPPY => snap::raw::Decoder::new().decompress(stored, out).map_err(|e| e.to_string()),
        Compression::LZ4_RAW => lz4_raw(stored, out),
        Compression::LZ4 => lz4_of_any_kind(stored, out),
        Compression::GZIP(_) => fill(flate2::read::MultiGzDecoder::new(stored), out),
        Compression::BROTLI(_) => fill(brotli::Decompressor::new(stored, 4096), out),
        Compression::LZO => return Err(Fault::Unknown),
    };
    match found {
        Ok(len) if len == out.len() => Ok(()),
        Ok(len) => corrupt(format!("it has {len} bytes when decompressed, its header says {}", out.len())),
        Err(text) => corrupt(format!("it cannot be decompressed: {text}")),
    }
}

/// Fills at least the first `needed` bytes of `out`, for codecs that can stop there; gives how many are filled.
pub(super) fn decompress_beginning(
    codec: Compression,
    stored: &[u8],
    out: &mut [u8],
    needed: usize,
    zstd: &mut Option<DCtx<'static>>,
) -> Decoded<usize> {
    let declared = zstd_safe::get_frame_content_size(stored).ok().flatten();
    // Without a size in the frame, the library would reserve what the frame's window says.
    let can_stop = matches!(codec, Compression::ZSTD(_)) && declared == Some(out.len() as u64);
    if !can_stop || needed >= out.len() {
        decompress(codec, stored, out, zstd)?;
        return Ok(out.len());
    }
    match stream_beginning(stored, out.get_mut(..needed).unwrap_or(&mut []), context(zstd)?)? {
        Some(filled) => Ok(filled),
        // It is broken, which will be said, or has too large a window.
        None => {
            decompress(codec, stored, out, zstd)?;
            Ok(out.len())
        }
    }
}

/// Fills `room` with the beginning of a frame; `None` if that cannot be done with the memory that there is for it.
fn stream_beginning(stored: &[u8], room: &mut [u8], context: &mut DCtx<'static>) -> Decoded<Option<usize>> {
    let needed = room.len();
    let mut to = OutBuffer::around(room);
    let mut from = InBuffer::around(stored);
    let filled = loop {
        let before = (to.pos(), from.pos);
        match context.decompress_stream(&mut to, &mut from) {
            Ok(_) if to.pos() == needed => break Some(needed),
            Ok(0) | Err(_) => break None,
            Ok(_) if (to.pos(), from.pos) == before => break None,
            Ok(_) => {}
        }
    };
    // What it keeps for the rest of the frame is of no use to the next page.
    match context.reset(ResetDirective::SessionOnly) {
        Ok(_) => Ok(filled),
        Err(code) => Err(Error::internal(zstd_text(code)).into()),
    }
}

fn context<'a>(zstd: &'a mut Option<DCtx<'static>>) -> Decoded<&'a mut DCtx<'static>> {
    if zstd.is_none() {
        *zstd = DCtx::try_create();
        if let Some(context) = zstd {
            context
                .set_parameter(DParameter::WindowLogMax(LARGEST_WINDOW))
                .map_err(|code| Error::internal(zstd_text(code)))?;
        }
    }
    match zstd {
        Some(context) => Ok(context),
        None => Err(Error::limit("the memory for decompressing could not be had").into()),
    }
}

fn zstd_text(code: usize) -> String {
    zstd_safe::get_error_name(code).to_owned()
}

fn lz4_raw(stored: &[u8], out: &mut [u8]) -> Result<usize, String> {
    lz4_flex::block::decompress_into(stored, out).map_err(|e| e.to_string())
}

/// What the deprecated codec LZ4 means differs among writers: frames of Hadoop, frames of LZ4, or a bare block.
fn lz4_of_any_kind(stored: &[u8], out: &mut [u8]) -> Result<usize, String> {
    let size = out.len();
    let whole = |len: &usize| *len == size;
    if let Some(len) = lz4_hadoop(stored, out).filter(whole) {
        return Ok(len);
    }
    if let Some(len) = fill(lz4_flex::frame::FrameDecoder::new(stored), out).ok().filter(whole) {
        return Ok(len);
    }
    lz4_raw(stored, out)
}

/// Frames of two lengths, big-endian, decompressed and stored, and a block.
fn lz4_hadoop(mut stored: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut filled = 0usize;
    while let Some((lengths, rest)) = stored.split_first_chunk::<8>() {
        let [a, b, c, d, e, f, g, h] = *lengths;
        let size = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
        let (block, rest) = rest.split_at_checked(u32::from_be_bytes([e, f, g, h]) as usize)?;
        let room = out.get_mut(filled..filled.checked_add(size)?)?;
        if lz4_flex::block::decompress_into(block, room).ok()? != size {
            return None;
        }
        filled += size;
        stored = rest;
    }
    stored.is_empty().then_some(filled)
}

/// Reads until `out` is full, and once more: then there must be no more.
fn fill(mut from: impl Read, out: &mut [u8]) -> Result<usize, String> {
    let mut filled = 0;
    while let Some(room) = out.get_mut(filled..).filter(|room| !room.is_empty()) {
        match from.read(room) {
            Ok(0) => return Ok(filled),
            Ok(len) => filled += len,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.to_string()),
        }
    }
    match from.read(&mut [0]) {
        Ok(0) => Ok(filled),
        Ok(_) => Err("there is more than its header says".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}
