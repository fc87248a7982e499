//! Sectors of the chip's flash (reference manual RM0383, table 4), as pages of one size.

use embedded_storage_async::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use stm32f4xx_hal::flash::{Error, FlashExt};
use stm32f4xx_hal::pac::FLASH;

/// Neighbouring sectors of so many bytes each.
pub struct Sectors<const BYTES: usize> {
    chip: FLASH,
    /// Number of the first one, where it begins, and how many there are.
    first: u8,
    begin: usize,
    count: usize,
}

/// Two sectors for the number of the run.
pub type Small = Sectors<{ 16 * 1024 }>;
/// Two for records.
pub type Large = Sectors<{ 128 * 1024 }>;

impl Small {
    /// Sectors 1 and 2.
    pub fn of(chip: FLASH) -> Self {
        Self { chip, first: 1, begin: 16 * 1024, count: 2 }
    }
}

impl Large {
    /// Sectors 6 and 7.
    pub fn of(chip: FLASH) -> Self {
        Self { chip, first: 6, begin: 256 * 1024, count: 2 }
    }
}

impl<const BYTES: usize> Sectors<BYTES> {
    /// An error that was seen once would make every later operation fail.
    fn forget_errors(&mut self) {
        self.chip.sr().modify(|_, w| {
            w.pgserr()
                .clear_bit_by_one()
                .pgperr()
                .clear_bit_by_one()
                .pgaerr()
                .clear_bit_by_one()
                .wrperr()
                .clear_bit_by_one()
        });
    }

    /// Where so many bytes lie in the whole flash.
    fn place(&self, offset: u32, length: usize) -> Result<usize, Error> {
        let end = (offset as usize).saturating_add(length);
        let is_inside = end <= self.count * BYTES;
        if is_inside { Ok(self.begin + offset as usize) } else { Err(Error::Operation) }
    }

    /// The chip again.
    pub fn release(self) -> FLASH {
        self.chip
    }
}

impl<const BYTES: usize> ErrorType for Sectors<BYTES> {
    type Error = Error;
}

impl<const BYTES: usize> ReadNorFlash for Sectors<BYTES> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        let from = self.place(offset, bytes.len())?;
        bytes.copy_from_slice(&self.chip.read()[from..from + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.count * BYTES
    }
}

impl<const BYTES: usize> NorFlash for Sectors<BYTES> {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = BYTES;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        self.place(from, to.saturating_sub(from) as usize)?;
        self.forget_errors();
        let sectors = from as usize / BYTES..to as usize / BYTES;
        let mut chip = self.chip.unlocked();
        sectors.into_iter().try_for_each(|sector| chip.erase(self.first + sector as u8))
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        let from = self.place(offset, bytes.len())?;
        self.forget_errors();
        self.chip.unlocked().program(from, bytes.iter())
    }
}

impl<const BYTES: usize> MultiwriteNorFlash for Sectors<BYTES> {}
