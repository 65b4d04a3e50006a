//! Sealing a backup with a passphrase: Argon2id makes the key, ChaCha20-Poly1305 seals pieces of 64 KiB whose nonce
//! counts them and says which one is the last (the STREAM construction, <https://eprint.iacr.org/2015/189>), so that
//! none can be left out, repeated or cut off.

use std::io::{self, BufRead, Read, Write};

use anyhow::{Context as _, Result, anyhow, bail};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use mana_llm::Secret;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Bytes of a piece before it is sealed.
const PIECE: usize = 64 << 10;

/// Bytes by which a sealed piece is longer.
const TAG: usize = 16;

/// Memory in KiB, passes and lanes of the key's making (RFC 9106, section 4, the second choice).
const COST: (u32, u32, u32) = (64 << 10, 3, 4);

/// The most that a file may ask for: beyond it the file is no backup of Mana's.
const MOST: (u32, u32, u32) = (1 << 20, 16, 16);

/// How the key of a file is made from its passphrase, as the file's first line says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecipe {
    cost: (u32, u32, u32),
    salt: Vec<u8>,
}

impl KeyRecipe {
    /// Makes a recipe for a new file.
    pub fn new() -> Result<KeyRecipe> {
        let mut salt = vec![0; 16];
        SystemRandom::new()
            .fill(&mut salt)
            .map_err(|_| anyhow!("the system gives no random numbers"))?;
        Ok(KeyRecipe { cost: COST, salt })
    }

    /// Returns the words of the first line.
    pub fn words(&self) -> String {
        let (memory, passes, lanes) = self.cost;
        let salt = STANDARD_NO_PAD.encode(&self.salt);
        format!("argon2id m={memory} t={passes} p={lanes} salt={salt}")
    }

    /// Reads the words of the first line.
    pub fn parse(words: &str) -> Result<KeyRecipe> {
        let strange = || anyhow!("The first line of the file can't be read; the file is damaged");
        let mut words = words.split(' ');
        if words.next() != Some("argon2id") {
            bail!(strange());
        }
        let mut word = |name: &str| words.next().and_then(|word| word.strip_prefix(name));
        let number = |word: Option<&str>, most| {
            let number = word.and_then(|word| word.parse::<u32>().ok());
            number
                .filter(|number| (1..=most).contains(number))
                .ok_or_else(strange)
        };
        let cost = (
            number(word("m="), MOST.0)?,
            number(word("t="), MOST.1)?,
            number(word("p="), MOST.2)?,
        );
        let salt = word("salt=").ok_or_else(strange)?;
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| strange())?;
        Ok(KeyRecipe { cost, salt })
    }

    /// Makes the key. Takes a good part of a second, by design.
    fn key(&self, passphrase: &Secret) -> Result<LessSafeKey> {
        let (memory, passes, lanes) = self.cost;
        let params = Params::new(memory, passes, lanes, None)
            .map_err(|error| anyhow!("The key can't be made: {error}"))?;
        let mut key = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), &self.salt, &mut key)
            .map_err(|error| anyhow!("The key can't be made: {error}"))?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key);
        Ok(LessSafeKey::new(key.map_err(|_| {
            anyhow!("The key can't be used for ChaCha20-Poly1305")
        })?))
    }
}

/// The nonce of a piece. A key belongs to one file, so the number alone never comes twice.
fn nonce(number: u32, last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[NONCE_LEN - 5..NONCE_LEN - 1].copy_from_slice(&number.to_be_bytes());
    bytes[NONCE_LEN - 1] = u8::from(last);
    Nonce::assume_unique_for_key(bytes)
}

/// Seals what is written to it.
pub struct SealedWriter<W> {
    out: W,
    key: LessSafeKey,
    /// The file's first line, which every piece is bound to.
    line: Vec<u8>,
    piece: Vec<u8>,
    number: u32,
}

impl<W: Write> SealedWriter<W> {
    /// Makes a writer of a file with this first line.
    pub fn new(out: W, recipe: &KeyRecipe, passphrase: &Secret, line: &[u8]) -> Result<Self> {
        Ok(SealedWriter {
            out,
            key: recipe.key(passphrase)?,
            line: line.to_owned(),
            piece: Vec::with_capacity(PIECE + TAG),
            number: 0,
        })
    }

    /// Writes the last piece.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = nonce(self.number, last);
        self.key
            .seal_in_place_append_tag(nonce, Aad::from(&self.line), &mut self.piece)
            .map_err(|_| io::Error::other("a piece can't be sealed"))?;
        self.out.write_all(&self.piece)?;
        self.piece.clear();
        self.number = self
            .number
            .checked_add(1)
            .ok_or_else(|| io::Error::other("the backup is longer than a sealed one may be"))?;
        Ok(())
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full piece waits for the next byte, because the last piece is sealed in another way.
        if self.piece.len() == PIECE {
            self.seal(false)?;
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens what a [`SealedWriter`] wrote.
pub struct SealedReader<R> {
    from: R,
    key: LessSafeKey,
    line: Vec<u8>,
    piece: Vec<u8>,
    /// Bytes of the piece that are read already.
    read: usize,
    number: u32,
    ended: bool,
}

impl<R: BufRead> SealedReader<R> {
    /// Makes a reader of a file with this first line, and opens its first piece, which fails for a wrong passphrase.
    pub fn new(from: R, recipe: &KeyRecipe, passphrase: &Secret, line: &[u8]) -> Result<Self> {
        let mut reader = SealedReader {
            from,
            key: recipe.key(passphrase)?,
            line: line.to_owned(),
            piece: Vec::new(),
            read: 0,
            number: 0,
            ended: false,
        };
        reader.open().context(
            "The file can't be opened with this passphrase (MANA_BACKUP_PASSPHRASE); give the one that it was made \
             with, or another backup if this one is damaged",
        )?;
        Ok(reader)
    }

    fn open(&mut self) -> io::Result<()> {
        let mut piece = Vec::with_capacity(PIECE + TAG);
        let whole = (PIECE + TAG) as u64;
        self.from.by_ref().take(whole).read_to_end(&mut piece)?;
        let last = self.from.fill_buf()?.is_empty();
        let nonce = nonce(self.number, last);
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(&self.line), &mut piece);
        let length = match opened {
            Ok(text) => text.len(),
            Err(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a sealed piece is damaged, or the file was cut off; take another backup",
                ));
            }
        };
        piece.truncate(length);
        self.piece = piece;
        self.read = 0;
        self.number += 1;
        self.ended = last;
        Ok(())
    }
}

impl<R: BufRead> Read for SealedReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            if self.ended {
                return Ok(0);
            }
            self.open()?;
        }
        let given = into.len().min(self.piece.len() - self.read);
        into[..given].copy_from_slice(&self.piece[self.read..self.read + given]);
        self.read += given;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"a first line\n";

    fn seal(recipe: &KeyRecipe, text: &[u8]) -> Vec<u8> {
        let mut writer =
            SealedWriter::new(Vec::new(), recipe, &Secret::new("passphrase"), LINE).unwrap();
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    }

    fn open(recipe: &KeyRecipe, sealed: &[u8], passphrase: &str) -> Result<Vec<u8>> {
        let mut reader = SealedReader::new(sealed, recipe, &Secret::new(passphrase), LINE)?;
        let mut text = Vec::new();
        reader.read_to_end(&mut text)?;
        Ok(text)
    }

    /// A recipe that costs little, for tests.
    fn cheap() -> KeyRecipe {
        KeyRecipe {
            cost: (64, 1, 1),
            ..KeyRecipe::new().unwrap()
        }
    }

    #[test]
    fn sealed_bytes_open_whole_and_not_otherwise() {
        let recipe = cheap();
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let text: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let sealed = seal(&recipe, &text);
            assert_eq!(open(&recipe, &sealed, "passphrase").unwrap(), text);
            assert!(open(&recipe, &sealed, "another").is_err());
            // Cut between two pieces, inside one, and one piece left out.
            for cut in [PIECE + TAG, 2 * (PIECE + TAG), sealed.len() - 1] {
                if cut < sealed.len() {
                    assert!(
                        open(&recipe, &sealed[..cut], "passphrase").is_err(),
                        "{cut}"
                    );
                }
            }
            if length == 3 * PIECE {
                assert!(open(&recipe, &sealed[PIECE + TAG..], "passphrase").is_err());
            }
            let mut changed = sealed.clone();
            changed[sealed.len() / 2] ^= 1;
            assert!(open(&recipe, &changed, "passphrase").is_err());
        }
    }

    #[test]
    fn recipe_is_read_as_it_is_written_and_has_bounds() {
        let recipe = KeyRecipe::new().unwrap();
        assert_eq!(KeyRecipe::parse(&recipe.words()).unwrap(), recipe);
        for wrong in [
            "",
            "scrypt",
            "argon2id m=99999999 t=3 p=1 salt=AAAA",
            "argon2id m=64 t=0 p=1 salt=AAAA",
            "argon2id m=64 t=1 p=1 salt=?",
        ] {
            assert!(KeyRecipe::parse(wrong).is_err(), "{wrong}");
        }
    }
}
