//! The framing of an event file: length, its checksum, payload, its checksum.

/// Eight bytes of length and four of its checksum.
const HEADER: usize = 12;
const FOOTER: usize = 4;

pub(crate) struct Record<'a> {
    /// Where the record begins.
    #[cfg_attr(not(feature = "reader"), allow(dead_code, reason = "for the reader"))]
    pub(crate) offset: u64,
    /// The record with its framing.
    pub(crate) framed: &'a [u8],
    /// The message in it.
    pub(crate) payload: &'a [u8],
}

#[cfg_attr(not(feature = "reader"), allow(dead_code, reason = "for the reader"))]
pub(crate) enum Fault {
    Corrupt { offset: u64, reason: &'static str },
    Truncated { offset: u64 },
}

/// A record of a payload.
pub(crate) fn framed(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let (length_sum, payload_sum) = (checksum(&length), checksum(payload));
    [&length[..], &length_sum, payload, &payload_sum].concat()
}

/// All records of `bytes`, up to and including the first fault.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = Result<Record<'_>, Fault>> {
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
    if checksum(length) != length_sum {
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
    if checksum(payload) != payload_sum {
        return Err(corrupt("the checksum of the data does not fit"));
    }
    Ok(Record {
        offset,
        framed: &rest[..HEADER + payload.len() + FOOTER],
        payload,
    })
}

/// CRC-32C, masked because it is stored with data that are checksummed again.
fn checksum(data: &[u8]) -> [u8; 4] {
    let masked = crc32c(data).rotate_right(15).wrapping_add(0xA282_EAD8);
    masked.to_le_bytes()
}

fn crc32c(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = if crc & 1 == 1 { 0x82F6_3B78 } else { 0 };
            crc = (crc >> 1) ^ carry;
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc32c() {
        // The check value of CRC-32C, from its definition in RFC 3720.
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }
}
