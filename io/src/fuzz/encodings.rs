//! Each decoder alone: what it brings does not depend on how often it is asked.

use arrow_buffer::BooleanBufferBuilder;

use crate::encoding::boolean::Booleans;
use crate::encoding::byte_stream_split::Streams;
use crate::encoding::delta_binary_packed::DeltaValues;
use crate::encoding::delta_byte_array::{Prefixed, PrefixedValues};
use crate::encoding::delta_length_byte_array::LengthsFirst;
use crate::encoding::dictionary::{Dictionary, Indexed, IndexedTexts, TextDictionary};
use crate::encoding::levels::Validity;
use crate::encoding::plain::{Plain, PlainTexts};
use crate::encoding::{Decoded, Texts, Values};

/// Values that are asked for at most.
const MOST: usize = 3000;

/// The first byte chooses the decoder, three more say how many values and where they are cut.
pub(super) fn target(input: &[u8]) {
    let Some(([which, low, high, cut], bytes)) = input.split_first_chunk() else { return };
    let count = usize::from(u16::from_le_bytes([*low, *high])) % MOST;
    let cut = count * usize::from(*cut) / 255;
    match which % 12 {
        0 => values(|| Ok(Plain::new(bytes, 8)), 8, count, cut),
        1 => values(|| DeltaValues::<4>::new(bytes), 4, count, cut),
        2 => values(|| DeltaValues::<8>::new(bytes), 8, count, cut),
        3 => values(|| Streams::new(bytes, 4, count), 4, count, cut),
        4 => values(|| PrefixedValues::new(bytes, count, 3), 3, count, cut),
        5 => {
            let dictionary = Dictionary::new((0..=255).collect::<Vec<u8>>().into(), 8);
            values(|| Indexed::new(bytes, &dictionary), 8, count, cut);
        }
        6 => texts(|| Ok(PlainTexts::new(bytes)), count, cut),
        7 => texts(|| LengthsFirst::new(bytes, count), count, cut),
        8 => texts(|| Prefixed::new(bytes, count, 1 << 20), count, cut),
        9 => {
            let (dictionary, indices) = bytes.split_at(bytes.len() / 2);
            if let Ok(dictionary) = TextDictionary::new(dictionary.to_vec().into(), 5) {
                texts(|| IndexedTexts::new(indices, &dictionary), count, cut);
            }
        }
        10 => booleans(bytes, count, cut),
        _ => {
            if let Ok(validity) = Validity::read(bytes, count) {
                let parts = validity.count(0, cut) + validity.count(cut, count - cut);
                assert_eq!(validity.count(0, count), parts);
            }
        }
    }
}

fn values<V: Values>(decoder: impl Fn() -> Decoded<V>, width: usize, count: usize, cut: usize) {
    let read = |skipped: usize, parts: &[usize]| -> Decoded<Vec<u8>> {
        let mut decoder = decoder()?;
        decoder.skip(skipped)?;
        let mut out = Vec::new();
        for part in parts {
            let mut values = vec![0; part * width];
            decoder.read(&mut values)?;
            out.extend(values);
        }
        Ok(out)
    };
    let Ok(whole) = read(0, &[count]) else { return };
    assert_eq!(read(0, &[cut, count - cut]).unwrap(), whole);
    assert_eq!(read(cut, &[count - cut]).unwrap(), whole[cut * width..]);
}

fn texts<T: Texts>(decoder: impl Fn() -> Decoded<T>, count: usize, cut: usize) {
    // Prefixes that are shared again and again can make gigabytes of little.
    let read = |skipped: usize, parts: &[usize]| -> Decoded<Vec<Vec<u8>>> {
        let mut decoder = decoder()?;
        decoder.skip(skipped)?;
        let mut out = Vec::new();
        for part in parts {
            decoder.read(*part, &mut |text| {
                out.push(text.get(..100).unwrap_or(text).to_vec());
                Ok(())
            })?;
        }
        Ok(out)
    };
    let Ok(whole) = read(0, &[count]) else { return };
    assert_eq!(read(0, &[cut, count - cut]).unwrap(), whole);
    assert_eq!(read(cut, &[count - cut]).unwrap(), whole[cut..]);
}

fn booleans(bytes: &[u8], count: usize, cut: usize) {
    type Make<'a> = fn(&'a [u8], usize) -> Decoded<Booleans<'a>>;
    let makes: [Make<'_>; 2] =
        [|bytes, count| Booleans::plain(bytes, count), |bytes, _| Booleans::runs(bytes)];
    for make in makes {
        let read = |skipped: usize, parts: &[usize]| -> Decoded<Vec<bool>> {
            let mut decoder = make(bytes, count)?;
            decoder.skip(skipped)?;
            let mut out = BooleanBufferBuilder::new(0);
            parts.iter().try_for_each(|part| decoder.read(*part, &mut out))?;
            Ok(out.finish().iter().collect())
        };
        let Ok(whole) = read(0, &[count]) else { continue };
        assert_eq!(read(0, &[cut, count - cut]).unwrap(), whole);
        assert_eq!(read(cut, &[count - cut]).unwrap(), whole[cut..]);
    }
}
