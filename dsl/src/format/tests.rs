//! Small texts and their canonical form.

use expect_test::{Expect, expect};

use super::format;

fn check(text: &str, expect: Expect) {
    let formatted = format(text).unwrap();
    expect.assert_eq(&formatted);
    assert_eq!(format(&formatted).unwrap(), formatted);
}

#[test]
fn one_style() {
    check(
        "\n\nexperiment   \"A \\\"b\\\"\"\nuse \"x\"  as y\nparam  width :Int=16 in 4 ..= 128\n\n\n\nparam q: List( Quantity( m/s ) ,) = [ 1km,2 % ,3e-3 , 1_000 ]\nseed=7\ndefine f( a,b=1 )=a*b\ndata x=f( a:1 , b=- 2,[ ] , g( ) ,)\n\n\n",
        expect![[r#"
            experiment "A \"b\""
            use "x" as y
            param width: Int = 16 in 4..=128

            param q: List(Quantity(m/s)) = [1 km, 2 %, 3e-3, 1_000]
            seed = 7
            define f(a, b = 1) = a * b
            data x = f(a: 1, b = -2, [], g())
        "#]],
    );
}

#[test]
fn parentheses_only_where_needed() {
    check(
        "data x = f((a), (a + b) * c, (a * b) + c, a - (b - c), (a ^ b) ^ c, a ^ (b ^ c), (-a) ^ b, -(a ^ b), a * (-b), not (a == b), (not a) == b, (a < b) == c, (1..5) + 2, (1 + 2)..(5), (20 %) - 5, 20 % (-5), a % (-5), 1..(step), ((((a)))))\n",
        expect![[r#"
            data x = f(
                a,
                (a + b) * c,
                a * b + c,
                a - (b - c),
                (a ^ b) ^ c,
                a ^ b ^ c,
                (-a) ^ b,
                -a ^ b,
                a * -b,
                not a == b,
                (not a) == b,
                (a < b) == c,
                (1..5) + 2,
                1 + 2..5,
                20 % - 5,
                20 % (-5),
                a % -5,
                1..(step),
                a,
            )
        "#]],
    );
}

#[test]
fn what_does_not_fit_is_broken() {
    check(
        "parent net = mlp(upper, inputs: [temp, salt], target: density, hidden: [width, width], activation: tanh, optimizer: adam(rate: 3e-3), epochs: 60)\ndata y = a + f(\"a long text to fill the line with something\", \"and another one to fill it entirely\", b) * 2\ndata z = f([100000, 200000, 300000, 400000, 500000, 600000, 700000, 800000, 900000, 1000000, 1100000, 1200000, -1])",
        expect![[r#"
            parent net = mlp(
                upper,
                inputs: [temp, salt],
                target: density,
                hidden: [width, width],
                activation: tanh,
                optimizer: adam(rate: 3e-3),
                epochs: 60,
            )
            data y = a
                + f("a long text to fill the line with something", "and another one to fill it entirely", b) * 2
            data z = f(
                [
                    100000, 200000, 300000, 400000, 500000, 600000, 700000, 800000, 900000, 1000000, 1100000,
                    1200000, -1,
                ],
            )
        "#]],
    );
}

#[test]
fn long_operations_continue_with_an_operator() {
    check(
        "define f(a, b = 1, cccccccccccccccccccccccccccccc = 2, dddddddddddddddddddddddddddddddddddd = 3, eeeeeee = 4) = a\ndefine bulk(s, t) = 19652.21 + 148.4206 * t - 2.327105 * t ^ 2 + 1.360477e-2 * t ^ 3 - 5.155288e-5 * t ^ 4 + s * (54.6746 - 0.603459 * t + 1.09987e-2 * t ^ 2 - 6.1670e-5 * t ^ 3) + s * sqrt(s) * (7.944e-2 + 1.6483e-2 * t - 5.3009e-4 * t ^ 2)\ndata x = where(sea, (depth > 1000 m and depth < 2000 m or latitude > 60 and latitude < 80) and not (temperature > 20 or temperature < 2) and salinity > 30)\n",
        expect![[r#"
            define f(
                a,
                b = 1,
                cccccccccccccccccccccccccccccc = 2,
                dddddddddddddddddddddddddddddddddddd = 3,
                eeeeeee = 4,
            ) = a
            define bulk(s, t) = 19652.21 + 148.4206 * t - 2.327105 * t ^ 2 + 1.360477e-2 * t ^ 3
                - 5.155288e-5 * t ^ 4 + s * (54.6746 - 0.603459 * t + 1.09987e-2 * t ^ 2 - 6.1670e-5 * t ^ 3)
                + s * sqrt(s) * (7.944e-2 + 1.6483e-2 * t - 5.3009e-4 * t ^ 2)
            data x = where(
                sea,
                (depth > 1000 m and depth < 2000 m or latitude > 60 and latitude < 80)
                    and not (temperature > 20 or temperature < 2) and salinity > 30,
            )
        "#]],
    );
}

#[test]
fn comments_keep_their_place() {
    check(
        "# first\n\n\n# second\ndata a = f(b) # after\n# before g\n\ndata g = f( # open\n  a, # about a\n  # before b\n  b: c + # inside\n   d\n  # last\n)   # after g\ndata h = # value\n  f( # nothing\n)\ndefine k(a, # about a\n b = 1) = a # k\ndata i = [1, # one\n 2, 3 # three\n]\n# end\n",
        expect![[r#"
            # first

            # second
            data a = f(b)  # after
            # before g

            data g = f(
                # open
                a,  # about a
                # before b
                # inside
                b: c + d,
                # last
            )  # after g
            # value
            data h = f(
                # nothing
            )
            define k(
                a,  # about a
                b = 1,
            ) = a  # k
            data i = [
                1,  # one
                2,
                3,  # three
            ]
            # end
        "#]],
    );
}

#[test]
fn comments_keep_their_order() {
    check(
        "data b = derive(sea#x\n, temp = salt, x = 1)\n# note\n-rest(\"casts.nc\")\n",
        expect![[r##"
            #x
            # note
            data b = derive(sea, temp = salt, x = 1) - rest("casts.nc")
        "##]],
    );
    check(
        "data a = where(  # rows\n  sea,  # all\n\n  # warm\n  temp > 1  # degrees\n    and salt # salty\n > 2 # g/kg\n , # last\n) # after\n\n# end\n\n\n# of file",
        expect![[r#"
            data a = where(
                # rows
                sea,  # all
                # warm
                # degrees
                # salty
                temp > 1 and salt > 2,  # g/kg
                # last
            )  # after

            # end

            # of file
        "#]],
    );
    check(
        "define f(a, # first\n b # second\n) = # body\n a + # plus\n g(b, # inner\n 1) # done\n",
        expect![[r#"
            # first
            # second
            # body
            # plus
            define f(a, b) = a + g(
                b,  # inner
                1,
            )  # done
        "#]],
    );
}

#[test]
fn plugins_on_one_line_or_one_parameter_a_line() {
    check(
        "plugin  f( a :data,b ?:Int )=score from \"f\" , random ,members : b\n# what it is\nplugin huber(shift: anomaly, # moved\n regime: predictor, delta: Float = 1.35 in 0 .. 100) = regression from \"huber\", version:2\nplugin g(aaaaaaaaaaaaaaaaaaaaaaaaaa: data, bbbbbbbbbbbbbbbbbbb: List( x|y ) = [x], cccccc: a|b) = score from \"g\"\n",
        expect![[r#"
            plugin f(a: data, b?: Int) = score from "f", random, members: b
            # what it is
            plugin huber(
                shift: anomaly,  # moved
                regime: predictor,
                delta: Float = 1.35 in 0..100,
            ) = regression from "huber", version: 2
            plugin g(
                aaaaaaaaaaaaaaaaaaaaaaaaaa: data,
                bbbbbbbbbbbbbbbbbbb: List(x | y) = [x],
                cccccc: a | b,
            ) = score from "g"
        "#]],
    );
}
