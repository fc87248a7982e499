//! Boot: the number of this run, one more at every start.

use firmware_shim::sensor::block_on;
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};
use stm32f4xx_hal::pac::FLASH;

use crate::sectors::Small;

/// Under which the number lies.
const NUMBER: u8 = 0;
const SECTORS: core::ops::Range<u32> = 0..2 * 16 * 1024;

/// The number of this run, once it stands in flash: no run may have another's.
pub fn next(chip: FLASH) -> (FLASH, Option<u32>) {
    let config = const { MapConfig::<Small>::new(SECTORS) };
    let mut map = MapStorage::<u8, Small, _>::new(Small::of(chip), config, Cache::new_uncached());
    let number = block_on(async {
        let mut bytes = [0; 32];
        let known: Option<u32> = map.fetch_item(&mut bytes, &NUMBER).await.ok()?;
        let next = known.unwrap_or(0).wrapping_add(1);
        map.store_item(&mut bytes, &NUMBER, &next).await.ok()?;
        let read: Option<u32> = map.fetch_item(&mut bytes, &NUMBER).await.ok()?;
        read.filter(|read| *read == next)
    });
    (map.destroy().0.release(), number)
}
