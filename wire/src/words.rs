//! A key's id in short words, for two people who compare it by eye or on the telephone.

use alloc::string::String;

use crate::identity::KeyId;

/// One word a byte; sorted, each of four letters.
#[rustfmt::skip]
const WORDS: [&str; 256] = [
    "acid", "aqua", "arch", "area", "army", "aunt", "axis", "baby", "back", "bake", "ball", "band",
    "bank", "barn", "bath", "bead", "beam", "bean", "bear", "beef", "bell", "belt", "bike", "bird",
    "blue", "boat", "body", "bolt", "bone", "book", "boot", "born", "bowl", "brag", "bran", "brim",
    "buck", "bulb", "bush", "cafe", "cage", "cake", "calf", "camp", "cane", "card", "cart", "cave",
    "chef", "chin", "chip", "city", "clam", "clay", "clip", "club", "coal", "coat", "code", "coin",
    "cold", "comb", "cook", "cord", "corn", "crab", "crew", "crop", "crow", "cube", "curl", "dawn",
    "deck", "deer", "desk", "dial", "dice", "dime", "dish", "disk", "dock", "doll", "dome", "door",
    "dove", "drum", "duck", "dune", "dust", "east", "echo", "edge", "envy", "epic", "exit", "face",
    "fact", "fair", "fern", "file", "film", "fire", "fish", "five", "flag", "flat", "flea", "flow",
    "foam", "fold", "fork", "fort", "fowl", "frog", "fuel", "gate", "gear", "gift", "girl", "glue",
    "goat", "gold", "golf", "gown", "gram", "grid", "grip", "gulf", "half", "hall", "hand", "harp",
    "hawk", "heel", "herb", "hero", "hill", "hint", "holy", "home", "hood", "hook", "horn", "hour",
    "huge", "hymn", "idea", "inch", "iris", "iron", "isle", "itch", "jade", "jail", "jazz", "jeep",
    "join", "joke", "july", "jump", "june", "jury", "keen", "kelp", "kilo", "king", "kite", "kiwi",
    "knee", "knot", "lace", "lady", "lake", "lamb", "lamp", "land", "lava", "lawn", "leaf", "lens",
    "lime", "lion", "list", "loaf", "lock", "loft", "logo", "loop", "luck", "lung", "lynx", "maid",
    "mail", "mane", "maps", "mask", "meat", "menu", "mild", "milk", "mint", "moon", "moss", "moth",
    "myth", "nail", "navy", "neck", "nest", "news", "nine", "noon", "nose", "oath", "oboe", "odor",
    "omen", "onyx", "oval", "oven", "page", "palm", "park", "pear", "pelt", "pine", "pipe", "plum",
    "poem", "pond", "pony", "pool", "quiz", "race", "raft", "rain", "ramp", "rice", "ring", "road",
    "rock", "roof", "rope", "rose", "ruby", "salt", "sand", "seal", "seed", "silk", "sofa", "star",
    "swan", "tent", "tree", "wolf",
];

/// Eight words: all 64 bits of the id, so that nobody finds another key of the same words.
#[must_use]
pub fn of_key(id: KeyId) -> String {
    let mut words = String::new();
    for (at, byte) in id.0.iter().enumerate() {
        match at {
            0 => {}
            4 => words.push(' '),
            _ => words.push('-'),
        }
        words.push_str(WORDS[usize::from(*byte)]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_word_of_its_own() {
        assert!(WORDS.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(WORDS.iter().all(|word| word.len() == 4));
        let id = KeyId([0, 1, 2, 3, 252, 253, 254, 255]);
        assert_eq!(of_key(id), "acid-aqua-arch-area swan-tent-tree-wolf");
    }
}
