//! The compact protocol of Thrift: bytes to a tree of values, whatever their meaning.

/// What is wrong with bytes that are not what they should be.
pub(super) const DAMAGED: &str = "damaged data";

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'b> {
    Bool(bool),
    Int(i64),
    Bytes(&'b [u8]),
    List(Vec<Value<'b>>),
    Struct(Vec<(i16, Value<'b>)>),
    /// A float or a map, which nothing here asks for.
    Other,
}

/// Structures are not nested deeper than this.
const DEEPEST: u8 = 16;

impl<'b> Value<'b> {
    /// The field of a structure.
    pub fn field(&self, id: i16) -> Option<&Value<'b>> {
        match self {
            Value::Struct(fields) => fields.iter().find(|(it, _)| *it == id).map(|(_, it)| it),
            _ => None,
        }
    }

    /// A whole number in a field.
    pub fn int(&self, id: i16) -> Option<i64> {
        match self.field(id)? {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A number in a field that counts something.
    pub fn count(&self, id: i16) -> Result<usize, String> {
        let count = self.int(id).and_then(|value| usize::try_from(value).ok());
        count.ok_or_else(|| DAMAGED.to_owned())
    }

    /// Yes or no in a field.
    pub fn bool(&self, id: i16) -> Option<bool> {
        match self.field(id)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A text in a field.
    pub fn text(&self, id: i16) -> Option<String> {
        match self.field(id)? {
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    /// The bytes of a field.
    pub fn bytes(&self, id: i16) -> Option<&'b [u8]> {
        match self.field(id)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The members of a list in a field; none of a field that is missing.
    pub fn list(&self, id: i16) -> &[Value<'b>] {
        match self.field(id) {
            Some(Value::List(values)) => values,
            _ => &[],
        }
    }
}

/// Bytes that are read from their beginning on.
#[derive(Clone, Debug)]
pub struct Input<'b> {
    /// Those that are left.
    pub rest: &'b [u8],
}

impl<'b> Input<'b> {
    /// The next bytes.
    pub fn take(&mut self, count: usize) -> Result<&'b [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DAMAGED)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// A number of up to ten bytes, seven bits in each.
    pub fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DAMAGED.to_owned())
    }

    /// The same with its sign in the last bit.
    pub fn zigzag(&mut self) -> Result<i64, String> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// A structure.
    pub fn structure(&mut self) -> Result<Value<'b>, String> {
        self.fields(0)
    }

    fn fields(&mut self, depth: u8) -> Result<Value<'b>, String> {
        let mut fields = Vec::new();
        let mut id = 0_i16;
        loop {
            let byte = self.byte()?;
            if byte == 0 {
                return Ok(Value::Struct(fields));
            }
            id = match byte >> 4 {
                0 => i16::try_from(self.zigzag()?).map_err(|_| DAMAGED)?,
                step => id.checked_add(i16::from(step)).ok_or(DAMAGED)?,
            };
            let value = match byte & 0x0f {
                1 => Value::Bool(true),
                2 => Value::Bool(false),
                kind => self.value(kind, depth)?,
            };
            fields.push((id, value));
        }
    }

    fn value(&mut self, kind: u8, depth: u8) -> Result<Value<'b>, String> {
        if depth > DEEPEST {
            return Err(DAMAGED.to_owned());
        }
        Ok(match kind {
            // Only in lists: among fields the kind is the value.
            1 | 2 => Value::Bool(self.byte()? == 1),
            3 => Value::Int(i64::from(self.byte()?.cast_signed())),
            4..=6 => Value::Int(self.zigzag()?),
            7 => {
                self.take(8)?;
                Value::Other
            }
            8 => {
                let length = self.length()?;
                Value::Bytes(self.take(length)?)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.length()?,
                    count => usize::from(count),
                };
                // Every member has a byte at least.
                if count > self.rest.len() {
                    return Err(DAMAGED.to_owned());
                }
                let members = (0..count).map(|_| self.value(head & 0x0f, depth + 1));
                Value::List(members.collect::<Result<_, _>>()?)
            }
            11 => {
                let count = self.length()?;
                if count > 0 {
                    let kinds = self.byte()?;
                    for _ in 0..count {
                        self.value(kinds >> 4, depth + 1)?;
                        self.value(kinds & 0x0f, depth + 1)?;
                    }
                }
                Value::Other
            }
            12 => self.fields(depth + 1)?,
            _ => return Err(DAMAGED.to_owned()),
        })
    }

    fn length(&mut self) -> Result<usize, String> {
        usize::try_from(self.varint()?).map_err(|_| DAMAGED.to_owned())
    }
}
