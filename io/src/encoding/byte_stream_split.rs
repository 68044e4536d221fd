//! BYTE_STREAM_SPLIT: the first bytes of all values, then their second bytes, and so on.

use super::{Decoded, Values, corrupt, too_few_values};

/// Values whose bytes lie in as many streams as a value has bytes.
#[derive(Debug)]
pub(crate) struct Streams<'a> {
    bytes: &'a [u8],
    width: usize,
    values: usize,
    next: usize,
}

impl<'a> Streams<'a> {
    /// `count` values, which take all the bytes.
    pub(crate) fn new(bytes: &'a [u8], width: usize, count: usize) -> Decoded<Self> {
        if count.checked_mul(width) != Some(bytes.len()) {
            return corrupt(format!(
                "its {} bytes are not {count} values of {width} bytes in streams",
                bytes.len()
            ));
        }
        Ok(Self { bytes, width, values: count, next: 0 })
    }

    /// The wanted part of each stream.
    fn streams(&self, count: usize) -> impl Iterator<Item = &'a [u8]> {
        let wanted = self.next..self.next + count;
        self.bytes
            .chunks_exact(self.values.max(1))
            .map(move |stream| stream.get(wanted.clone()).unwrap_or(&[]))
    }

    fn join<const WIDTH: usize>(&self, out: &mut [u8]) {
        let (out, _) = out.as_chunks_mut::<WIDTH>();
        let mut streams = [&[][..]; WIDTH];
        for (to, stream) in streams.iter_mut().zip(self.streams(out.len())) {
            *to = stream;
        }
        // All of one length, which the compiler is shown here, so that it checks none in the loop.
        let streams = streams.map(|stream| stream.get(..out.len()).unwrap_or(&[]));
        if streams.iter().any(|stream| stream.len() != out.len()) {
            return;
        }
        for (row, value) in out.iter_mut().enumerate() {
            *value = streams.map(|stream| stream.get(row).copied().unwrap_or(0));
        }
    }
}

impl Values for Streams<'_> {
    fn skip(&mut self, count: usize) -> Decoded<()> {
        if count > self.values - self.next {
            return too_few_values();
        }
        self.next += count;
        Ok(())
    }

    fn read(&mut self, out: &mut [u8]) -> Decoded<()> {
        let count = out.len() / self.width.max(1);
        if count > self.values - self.next {
            return too_few_values();
        }
        match self.width {
            2 => self.join::<2>(out),
            4 => self.join::<4>(out),
            8 => self.join::<8>(out),
            width => {
                for (place, stream) in self.streams(count).enumerate() {
                    for (value, byte) in out.chunks_exact_mut(width).zip(stream) {
                        if let Some(to) = value.get_mut(place) {
                            *to = *byte;
                        }
                    }
                }
            }
        }
        self.next += count;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_value_come_together() {
        for width in [1usize, 2, 3, 4, 8, 12] {
            let values: Vec<u8> = (0..10 * width).map(|i| (i * 7) as u8).collect();
            let split: Vec<u8> =
                (0..width).flat_map(|b| values.iter().skip(b).step_by(width).copied()).collect();
            for (from, to) in [(0, 10), (3, 7), (9, 10), (5, 5)] {
                let mut streams = Streams::new(&split, width, 10).unwrap();
                streams.skip(from).unwrap();
                let mut out = vec![0; (to - from) * width];
                streams.read(&mut out).unwrap();
                assert_eq!(out, values[from * width..to * width], "{from}..{to} of {width} bytes");
                assert!(streams.skip(11 - to).is_err());
                assert!(streams.read(&mut vec![0; (11 - to) * width]).is_err());
            }
        }
        assert!(Streams::new(&[0; 17], 8, 2).is_err());
        assert!(Streams::new(&[0; 16], 8, usize::MAX).is_err());
    }
}
