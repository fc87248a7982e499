//! Devices and their signals as the database numbers them.

use std::collections::HashMap;

use wire::batch::{ChannelInfo, Source};
use wire::identity::DeviceId;
use wire::reading::ChannelKind;

use super::StoreError;
use super::db::{Db, values};

/// Series whose numbers stay in memory.
const SERIES_MAX: usize = 65_536;
/// Devices whose numbers stay in memory.
const DEVICES_MAX: usize = 65_536;

/// What was learnt about devices and series, as the database has it.
#[derive(Debug, Default)]
pub(super) struct Series {
    devices: HashMap<DeviceId, i64>,
    series: HashMap<(i64, u8, ChannelInfo), i64>,
    contexts: HashMap<Vec<u8>, i64>,
}

impl Series {
    /// A device's number.
    pub(super) fn device(&mut self, db: &Db, id: DeviceId) -> Result<i64, StoreError> {
        if let Some(row) = self.devices.get(&id) {
            return Ok(*row);
        }
        let eui = id.to_string();
        let insert = "INSERT INTO device (eui) VALUES (?1) ON CONFLICT DO NOTHING";
        db.execute(insert, values![&eui])?;
        let row = db.one("SELECT id FROM device WHERE eui = ?1", values![&eui])?;
        if self.devices.len() > DEVICES_MAX {
            self.devices.clear();
        }
        self.devices.insert(id, row);
        Ok(row)
    }

    /// A context's number; none for nobody's.
    pub(super) fn context(&mut self, db: &Db, token: &[u8]) -> Result<Option<i64>, StoreError> {
        if token.is_empty() {
            return Ok(None);
        }
        if let Some(row) = self.contexts.get(token) {
            return Ok(Some(*row));
        }
        let insert = "INSERT INTO context (token) VALUES (?1) ON CONFLICT DO NOTHING";
        db.execute(insert, values![token.to_vec()])?;
        let row = db.one("SELECT id FROM context WHERE token = ?1", values![token.to_vec()])?;
        if self.contexts.len() > DEVICES_MAX {
            self.contexts.clear();
        }
        self.contexts.insert(token.to_vec(), row);
        Ok(Some(row))
    }

    /// The number of one signal of a device.
    pub(super) fn of(
        &mut self,
        db: &Db,
        device: i64,
        source: &Source,
        info: &ChannelInfo,
    ) -> Result<i64, StoreError> {
        // The exponent stands in each row, so that a series is one signal whatever its precision.
        let mut info = info.clone();
        if let ChannelKind::Numeric { exponent } = &mut info.kind {
            *exponent = 0;
        }
        let key = (device, source.mode as u8, info);
        if let Some(row) = self.series.get(&key) {
            return Ok(*row);
        }
        let row = find_series(db, device, source.mode as u8, &key.2)?;
        if self.series.len() > SERIES_MAX {
            self.series.clear();
        }
        self.series.insert(key, row);
        Ok(row)
    }
}

fn find_series(db: &Db, device: i64, mode: u8, info: &ChannelInfo) -> Result<i64, StoreError> {
    let (is_wave, rate, gain, baseline, bits) = match info.kind {
        ChannelKind::Numeric { .. } => (false, (0, 0), (0, 0), 0, 0),
        ChannelKind::Wave { rate, gain, baseline, bits } => {
            let rate = (rate.numerator.cast_signed(), rate.denominator.cast_signed());
            (true, rate, (gain.mantissa, gain.exponent), baseline, bits)
        }
    };
    let values = values![
        device,
        info.code,
        info.unit,
        &info.label,
        &info.unit_label,
        is_wave,
        rate.0,
        rate.1,
        gain.0,
        gain.1,
        baseline,
        bits,
        mode
    ];
    let insert = "INSERT INTO series (device, code, unit, label, unit_label, wave, rate_numerator,
           rate_denominator, gain_mantissa, gain_exponent, baseline, bits, mode)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING";
    db.execute(insert, values)?;
    let sql = "SELECT id FROM series
               WHERE device = ?1 AND code = ?2 AND unit = ?3 AND label = ?4 AND unit_label = ?5
                 AND wave = ?6 AND rate_numerator = ?7 AND rate_denominator = ?8
                 AND gain_mantissa = ?9 AND gain_exponent = ?10 AND baseline = ?11 AND bits = ?12
                 AND mode = ?13";
    db.one(sql, values)
}
