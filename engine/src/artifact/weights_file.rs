//! Files of weights to export, written piece by piece: none of them need fit in memory.

use crate::error::Fault;

/// The files that an artifact exports.
pub type WeightsFiles<'a> = Vec<WeightsFile<'a>>;

/// A file by its name, and how its bytes are made.
pub struct WeightsFile<'a> {
    /// Its name.
    pub name: String,
    make: Box<Make<'a>>,
}

/// Takes the next bytes of a file.
pub type Take<'t> = dyn FnMut(&[u8]) -> Result<(), Fault> + 't;

/// Takes the next weights of a network.
pub type TakeWeights<'t> = dyn FnMut(&[f32]) -> Result<(), Fault> + 't;

type Make<'a> = dyn Fn(&mut Take) -> Result<(), Fault> + 'a;

impl<'a> WeightsFile<'a> {
    /// A file whose bytes `make` gives to its argument, piece after piece.
    pub fn new(name: String, make: impl Fn(&mut Take) -> Result<(), Fault> + 'a) -> Self {
        let make = Box::new(make);
        Self { name, make }
    }

    /// A file of these bytes.
    pub fn of(name: String, bytes: Vec<u8>) -> Self {
        Self::new(name, move |take| take(&bytes))
    }

    /// Gives the bytes to `take`, piece after piece.
    ///
    /// # Errors
    /// Those of `take`, and when the bytes cannot be made.
    pub fn write(&self, take: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        (self.make)(take)
    }

    /// All its bytes.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn bytes(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        self.write(&mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }
}
