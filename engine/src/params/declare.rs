//! The macros that declare plugins, constructors, groups of parameters, and choices.
//!
//! A plugin is written as
//!
//! ```ignore
//! plugin! {
//!     /// Windows of neighbouring rows in the order of a column.
//!     "window" version 1
//!     pub struct Window {
//!         /// The rows to draw from.
//!         data: Input<Dataset>;
//!         /// The column whose order the windows follow.
//!         by: Column;
//!         /// How many windows.
//!         count: usize = "256", range("1..=1000000");
//!     }
//! }
//! ```
//!
//! A field followed by `flatten()` is a group of parameters, declared by [`group!`](crate::group!):
//! users write its parameters like all others, in its place. `flatten(epochs = "20")` sets other
//! defaults than those of the group.

/// Declares a plugin: its documentation, name, version and parameters.
#[macro_export]
macro_rules! plugin {
    ($(#[doc = $doc:literal])* $name:literal version $version:literal
     pub struct $Struct:ident { $($body:tt)* }) => {
        $crate::declared! { [$($doc),*] [] $Struct { $($body)* } }
        $crate::declared_name! { [$($doc),*] $name $version $Struct }
    };
}

/// Declares a constructor of a value, such as `adam(rate: 1e-3)`.
#[macro_export]
macro_rules! constructor {
    ($(#[doc = $doc:literal])* $(#[derive($($derive:ident),*)])? $name:literal
     pub struct $Struct:ident { $($body:tt)* }) => {
        $crate::declared! { [$($doc),*] [$($($derive),*)?] $Struct { $($body)* } }
        $crate::declared_name! { [$($doc),*] $name 1 $Struct }
    };
}

/// What the language calls a declared struct.
#[doc(hidden)]
#[macro_export]
macro_rules! declared_name {
    ([$($doc:literal),*] $name:literal $version:literal $Struct:ident) => {
        impl $crate::params::Declared for $Struct {
            const NAME: &'static str = $name;
            const VERSION: u32 = $version;
            const DOC: &'static [&'static str] = &[$($doc),*];
        }
    };
}

/// Declares a group of parameters that several plugins share, to be flattened into each:
///
/// ```ignore
/// group! {
///     /// Which runs a method is fitted on.
///     pub struct FitRuns {
///         /// The members to fit on, counted from 0; all when left out.
///         train_on: Option<Numbers>;
///     }
/// }
/// ```
#[macro_export]
macro_rules! group {
    ($(#[doc = $doc:literal])* $(#[derive($($derive:ident),*)])?
     pub struct $Struct:ident { $($body:tt)* }) => {
        $crate::declared! { [$($doc),*] [$($($derive),*)?] $Struct { $($body)* } }
    };
}

/// A struct with declared fields, for [`plugin!`], [`constructor!`] and [`group!`].
#[doc(hidden)]
#[macro_export]
macro_rules! declared {
    ([$($doc:literal),*] [$($derive:ident),*] $Struct:ident {
        $( $(#[doc = $field_doc:literal])* $field:ident : $ty:ty
           $(= $default:literal)? $(, $attribute:ident ( $($value:tt)* ))* ; )*
    }) => {
        $(#[doc = $doc])*
        #[derive(Debug $(, $derive)*)]
        pub struct $Struct {
            $( $(#[doc = $field_doc])* pub $field: $ty, )*
        }

        impl $crate::params::Fields for $Struct {
            fn fields() -> Vec<$crate::params::Field> {
                let fields: Vec<Vec<$crate::params::Field>> = vec![$(
                    $crate::declared_fields!(
                        $field: $ty, [$($field_doc),*] [$($default)?]
                        $(, $attribute($($value)*))*
                    )
                ),*];
                fields.into_iter().flatten().collect()
            }

            fn decode(bindings: &$crate::params::Bindings) -> Result<Self, $crate::error::Fault> {
                let _ = bindings;
                Ok(Self {
                    $( $field: $crate::decoded_field!(
                        bindings, $field: $ty $(, $attribute)*
                    )?, )*
                })
            }

            fn undecodable(args: &dsl::experiment::Arguments) -> Vec<$crate::error::Fault> {
                let mut faults = Vec::new();
                $( faults.extend($crate::undecodable_field!(args, $field: $ty $(, $attribute)*)); )*
                let _ = args;
                faults
            }
        }
    };
}

/// The declared fields that one field of the struct declares: itself, or those of a group.
#[doc(hidden)]
#[macro_export]
macro_rules! declared_fields {
    ($field:ident : $ty:ty, [$($doc:literal),*] [],
     flatten($($name:ident = $default:literal),* $(,)?)) => {{
        // A default for a parameter that the group lacks does not compile.
        let _ = |group: &$ty| { $( let _ = &group.$name; )* };
        let fields = <$ty as $crate::params::Fields>::fields();
        $( let fields = $crate::params::with_default(fields, stringify!($name), $default); )*
        fields
    }};
    ($field:ident : $ty:ty, [$($doc:literal),*] [$($default:literal)?]
     $(, $attribute:ident ( $($value:tt)* ))*) => {
        vec![
            $crate::params::Field::new(
                $crate::params::written_name(stringify!($field)),
                &[$($doc),*],
                <$ty as $crate::params::ParamType>::ty(),
                None::<&str>$(.or(Some($default)))?,
            )
            .of_type::<$ty>()
            $(.$attribute($($value)*))*
        ]
    };
}

/// One field of the struct from the arguments: its own, or those of a group.
#[doc(hidden)]
#[macro_export]
macro_rules! decoded_field {
    ($bindings:ident, $field:ident : $ty:ty, flatten) => {
        <$ty as $crate::params::Fields>::decode($bindings)
    };
    ($bindings:ident, $field:ident : $ty:ty $(, $attribute:ident)*) => {
        <$ty as $crate::params::ParamType>::decode(
            $crate::params::written_name(stringify!($field)),
            $bindings,
        )
    };
}

/// Why arguments of one field of the struct do not decode: its own, or those of a group.
#[doc(hidden)]
#[macro_export]
macro_rules! undecodable_field {
    ($args:ident, $field:ident : $ty:ty, flatten) => {
        <$ty as $crate::params::Fields>::undecodable($args)
    };
    ($args:ident, $field:ident : $ty:ty $(, $attribute:ident)*) => {
        $crate::params::undecodable::<$ty>($crate::params::written_name(stringify!($field)), $args)
    };
}

/// Declares a value that one of several constructors returns: `Optimizer` by `sgd`, `adam`, ….
#[macro_export]
macro_rules! made {
    ($(#[doc = $doc:literal])* $(#[derive($($derive:ident),*)])?
     pub enum $Enum:ident { $($Variant:ident),* $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Debug $($(, $derive)*)?)]
        pub enum $Enum {
            $( #[doc = concat!("Returned by [`", stringify!($Variant), "`].")] $Variant($Variant), )*
        }

        impl $Enum {
            /// Its constructors.
            pub const CONSTRUCTORS: &'static [$crate::params::Constructor] = &[$(
                $crate::params::Constructor {
                    group: stringify!($Enum),
                    name: <$Variant as $crate::params::Declared>::NAME,
                    signature: || {
                        $crate::params::constructor_signature::<$Variant>(stringify!($Enum))
                    },
                }
            ),*];
        }

        impl $crate::params::ParamType for $Enum {
            fn ty() -> dsl::types::Type {
                dsl::types::Type::Constructed(stringify!($Enum).to_owned())
            }

            fn from_value(
                field: &str,
                value: &dsl::experiment::Value,
                bindings: &$crate::params::Bindings,
            ) -> Result<Self, $crate::error::Fault> {
                match value {
                    $( dsl::experiment::Value::Constructed(made)
                        if made.name == <$Variant as $crate::params::Declared>::NAME =>
                    {
                        <$Variant as $crate::params::Fields>::decode(&bindings.inside(&made.args))
                            .map($Enum::$Variant)
                            .map_err(|fault| fault.inside(field))
                    } )*
                    other => Err($crate::params::mismatch(field, stringify!($Enum), other)),
                }
            }
        }
    };
}

/// Declares a choice of words: an enum whose variants are written bare in the language.
#[macro_export]
macro_rules! words {
    ($(#[doc = $doc:literal])* pub enum $Enum:ident {
        $( $(#[doc = $variant_doc:literal])* $Variant:ident = $word:literal ),* $(,)?
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $Enum {
            $( $(#[doc = $variant_doc])* #[serde(rename = $word)] $Variant, )*
        }

        impl $Enum {
            /// The word as written.
            pub fn word(self) -> &'static str {
                match self { $( $Enum::$Variant => $word, )* }
            }
        }

        impl $crate::params::ParamType for $Enum {
            fn ty() -> dsl::types::Type {
                dsl::types::Type::Word(vec![$( $word.to_owned() ),*])
            }

            fn from_value(
                field: &str,
                value: &dsl::experiment::Value,
                _: &$crate::params::Bindings,
            ) -> Result<Self, $crate::error::Fault> {
                match value {
                    $( dsl::experiment::Value::Text(text) if text == $word => Ok($Enum::$Variant), )*
                    other => Err($crate::params::mismatch(field, stringify!($Enum), other)),
                }
            }
        }
    };
}
