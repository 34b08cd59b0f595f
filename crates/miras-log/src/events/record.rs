//! The framing of an event file: length, its checksum, payload, its checksum.

use tensorboard_rs::masked_crc32c::masked_crc32c;

/// Eight bytes of length and four of its checksum.
const HEADER: usize = 12;
const FOOTER: usize = 4;

pub(super) struct Record<'a> {
    /// Where the record begins.
    pub(super) offset: u64,
    /// The record with its framing.
    pub(super) framed: &'a [u8],
    /// The message in it.
    pub(super) payload: &'a [u8],
}

pub(super) enum Fault {
    Corrupt { offset: u64, reason: &'static str },
    Truncated { offset: u64 },
}

/// All records of `bytes`, up to and including the first fault.
pub(super) fn records(bytes: &[u8]) -> impl Iterator<Item = Result<Record<'_>, Fault>> {
    let mut offset = 0;
    let mut stopped = false;
    std::iter::from_fn(move || {
        if stopped || offset == bytes.len() {
            return None;
        }
        let record = record_at(bytes, offset);
        match &record {
            Ok(record) => offset += record.framed.len(),
            Err(_) => stopped = true,
        }
        Some(record)
    })
}

fn record_at(bytes: &[u8], start: usize) -> Result<Record<'_>, Fault> {
    let offset = start as u64;
    let truncated = Fault::Truncated { offset };
    let corrupt = |reason| Fault::Corrupt { offset, reason };
    let rest = &bytes[start..];
    let Some((header, rest_of_record)) = rest.split_at_checked(HEADER) else {
        return Err(truncated);
    };
    let (length, length_sum) = header.split_at(8);
    if !sum_fits(length, length_sum) {
        return Err(corrupt("the checksum of the length does not fit"));
    }
    let length = length
        .iter()
        .rev()
        .fold(0, |all, byte| (all << 8) | u64::from(*byte));
    let payload_len = usize::try_from(length).unwrap_or(usize::MAX);
    let Some((payload, after)) = rest_of_record.split_at_checked(payload_len) else {
        return Err(truncated);
    };
    let Some((payload_sum, _)) = after.split_at_checked(FOOTER) else {
        return Err(truncated);
    };
    if !sum_fits(payload, payload_sum) {
        return Err(corrupt("the checksum of the data does not fit"));
    }
    Ok(Record {
        offset,
        framed: &rest[..HEADER + payload.len() + FOOTER],
        payload,
    })
}

fn sum_fits(data: &[u8], sum: &[u8]) -> bool {
    masked_crc32c(data).to_le_bytes() == sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc32c() {
        // Check value of CRC-32C, from its definition in RFC 3720.
        let crc = tensorboard_rs::masked_crc32c::crc32c(b"123456789");
        assert_eq!(crc, 0xE306_9283);
        let masked = crc.rotate_right(15).wrapping_add(0xA282_EAD8);
        assert_eq!(masked_crc32c(b"123456789"), masked);
    }
}
