//! Carrying out orders together: rows pass through them in parts, and no table is kept that nobody
//! reads whole.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Place;
use super::carry::{Carrier, LARGE, fault_of};
use super::results::Results;
use crate::artifact::{AnyArtifact, Artifact, Dataset, Parts, ReadColumns, downcast};
use crate::context::{Found, RowSource};
use crate::error::Fault;
use crate::flow::{Flow, InParts, MOST_BEFORE};
use crate::order::Order;
use crate::params::Bindings;
use crate::plugin::{Context, Each, Progress};

/// Where rows come from on their way to an order.
pub(super) struct Way<'a> {
    /// The result that is at hand whole; else the first of `through` reads.
    whole: Option<AnyArtifact>,
    /// What they pass through before the order; carried out before, and not kept.
    through: Vec<&'a Order>,
}

/// Passes the rows of a result that is made again to `each`: in parts, where these pass through the
/// calls that make it.
///
/// # Errors
/// Those of the calls, and of `each`.
pub fn each_rows(order: &Order, place: &Place<'_>, each: Each<'_>) -> Result<(), Fault> {
    let results = Results::default();
    let mut carrier = Carrier::new(order, &order.remakes, place, &results);
    let Some(way) = carrier.way_of_rows(|_| true) else {
        let whole = carrier.compute(&|_| ())?;
        let whole = downcast::<Dataset>(&whole);
        let whole = whole.ok_or_else(|| Fault::Bug("rows of another type".to_owned()))?;
        return each(Dataset::clone(&whole)).map(|_| ());
    };
    let outlet = Outlet::to(Kept::Given(each), Vec::new());
    match carrier.send(way, outlet, &Found::default(), &|_| ())? {
        SentRows::Read { .. } => Ok(()),
        SentRows::Passed(stage) => stage.fault.map_or(Ok(()), Err),
    }
}

/// What a table takes as doubles before those that read its rows more than once do without it.
const HELD: u64 = 64 << 20;

/// The rows of an input that no one holds, made again each time they are read.
pub(super) struct RowsAgain<'a> {
    field: &'static str,
    order: &'a Order,
    remakes: &'a [Order],
    place: &'a Place<'a>,
    results: &'a Results,
    found: Found,
}

impl RowSource for RowsAgain<'_> {
    fn read(&self, each: Each<'_>) -> Result<(), Fault> {
        let carrier = Carrier::new(self.order, self.remakes, self.place, self.results);
        let way = carrier.way_of_rows(|_| true);
        let way = way.ok_or_else(|| Fault::Bug("rows come in parts no more".to_owned()))?;
        let mut fault = None;
        let mut taken = |rows| {
            each(rows).map_err(|own| {
                // Those on the way blame none but themselves.
                fault = Some(own);
                Fault::Cancelled
            })
        };
        let outlet = Outlet::to(Kept::Given(&mut taken), Vec::new());
        let sent = match carrier.send(way, outlet, &self.found, &|_| ()) {
            Ok(SentRows::Read { .. }) => Ok(()),
            Ok(SentRows::Passed(stage)) => stage.fault.map_or(Ok(()), Err),
            Err(fault) => Err(fault),
        };
        fault.map_or(sent, Err)
    }
}

impl<'a> Carrier<'a> {
    /// The rows of the input that the order reads more than once; none where it is small, or in
    /// memory.
    pub(super) fn rows_again(&self) -> Option<RowsAgain<'a>> {
        let Self {
            place,
            remakes,
            results,
            ..
        } = *self;
        let operation = place.registry.get(&self.order.plugin)?;
        let InParts::Rereads(field) = operation.in_parts(&self.order.arguments)? else {
            return None;
        };
        let mut inputs = self.order.inputs.iter();
        let input = inputs.find(|input| input.field == field)?;
        let [member] = &input.members[..] else {
            return None;
        };
        if results.get(&member.key).is_some() {
            return None;
        }
        let record = place.store.find(&member.key)?;
        let parts = place.store.load(&record).ok()?;
        let size: u64 = parts.json(Parts::REMADE).ok()?;
        let order = { remakes.iter() }.find(|it| it.key.digest == member.key)?;
        let carrier = Carrier::new(order, remakes, place, results);
        (size >= HELD && carrier.way_of_rows(|_| true).is_some()).then(|| RowsAgain {
            field,
            order,
            remakes,
            place,
            results,
            found: Found::default(),
        })
    }

    /// What its fields are bound to; the input whose rows come again has none.
    pub(super) fn bindings_from(&self, rows: Option<&RowsAgain<'_>>) -> Result<Bindings, Fault> {
        let none: AnyArtifact = Arc::new(Dataset::default());
        self.bindings_with(rows.map(|rows| (rows.field, &none)))
    }

    /// How rows come to the order in parts; none where it is carried out on whole tables.
    pub(super) fn way(&self) -> Option<Way<'a>> {
        // What is small is read with the other inputs, if it goes no further.
        let way = self.way_of_rows(|order| order.flows.is_some())?;
        let goes_on = self.order.flows.is_some();
        (goes_on || !way.through.is_empty()).then_some(way)
    }

    /// The same, whatever becomes of the rows; `passes_on` says of an order that reads what is at
    /// hand whole whether its rows pass on in parts.
    fn way_of_rows(&self, passes_on: impl Fn(&Order) -> bool) -> Option<Way<'a>> {
        let in_parts = |order: &Order| {
            let operation = self.place.registry.get(&order.plugin)?;
            operation.in_parts(&order.arguments)
        };
        let mut way = Way {
            whole: None,
            through: Vec::new(),
        };
        let mut order = self.order;
        loop {
            let field = match in_parts(order)? {
                InParts::Reads | InParts::Rereads(_) => break,
                InParts::Maps(field) | InParts::Gathers(field) => field,
            };
            let mut inputs = order.inputs.iter().filter(|input| input.field == field);
            let [member] = &inputs.next()?.members[..] else {
                return None;
            };
            if let Some(whole) = self.results.get(&member.key) {
                way.whole = Some(whole);
                break;
            }
            let record = self.place.store.find(&member.key)?;
            if !record.is_remade() {
                if !passes_on(order) {
                    return None;
                }
                way.whole = Some(self.stored(&member.key, &member.title).ok()?);
                break;
            }
            let remade = self.remakes.iter();
            order = remade.into_iter().find(|it| it.key.digest == member.key)?;
            if way.through.len() == MOST_BEFORE {
                return None;
            }
            way.through.insert(0, order);
        }
        Some(way)
    }

    /// Carries the order out together with what its rows pass on to.
    pub(super) fn pass(
        &mut self,
        way: Way<'a>,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<(), Fault> {
        if let Some(why) = self.diverged_input() {
            return Err(Fault::Diverged(why));
        }
        let own = Carrier::new(self.order, self.remakes, self.place, self.results);
        let outlet = Outlet::of(&own);
        match self.send(way, outlet, &Found::default(), progress)? {
            SentRows::Read { outlet, notes } => {
                self.notes = notes;
                outlet.kept.save(self)?;
                // What fails here is carried out, and fails, in its own turn.
                outlet.stages.into_iter().for_each(|stage| {
                    let _ = stage.save();
                });
            }
            SentRows::Passed(mut stage) => {
                self.notes = stage.context.take_notes();
                stage.carrier.notes.clone_from(&self.notes);
                self.cost = stage.save()?.cost;
            }
        }
        Ok(())
    }

    /// Sends the rows of the order to an outlet; `found` is for what the first on the way finds in
    /// those it reads.
    fn send(
        &self,
        way: Way<'a>,
        outlet: Outlet<'a>,
        found: &Found,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<SentRows<'a>, Fault> {
        let mut orders = way.through.iter().copied();
        let reader = match way.whole {
            Some(_) => None,
            None => Some(orders.next().unwrap_or(self.order)),
        };
        let is_reader = reader.is_some_and(|reader| std::ptr::eq(reader, self.order));
        let carrier = |order| Carrier::new(order, self.remakes, self.place, self.results);
        let mut outlet = match is_reader {
            true => outlet,
            false => {
                let mut stage = FlowStage::to(outlet, carrier(self.order));
                for order in orders.rev() {
                    stage = FlowStage::to(Outlet::only(stage), carrier(order));
                }
                Outlet::only(stage)
            }
        };
        let mut notes = Vec::new();
        match (reader, way.whole) {
            (Some(order), _) => {
                let carrier = carrier(order);
                let rows = carrier.rows_again();
                let source = rows.as_ref().map(|rows| rows as &dyn RowSource);
                let context = carrier.context(progress).with_rows(source, found);
                let bindings = carrier.bindings_from(rows.as_ref())?;
                let operation = carrier.operation()?;
                let result = catch_unwind(AssertUnwindSafe(|| {
                    operation.read_parts(&bindings, &context, &mut |rows| {
                        outlet.give(rows)?;
                        Ok(outlet.reads.clone())
                    })
                }));
                notes = context.take_notes();
                let result = result.unwrap_or_else(|panic| Err(fault_of(panic)));
                if let Err(Fault::Cancelled) = result {
                    return Err(Fault::Cancelled);
                }
                carrier.verify(&context)?;
                result?;
            }
            (None, whole) => {
                let whole = whole.as_ref().and_then(downcast::<Dataset>);
                let whole = whole.ok_or_else(|| Fault::Bug("rows of another type".to_owned()))?;
                outlet.give(Dataset::clone(&whole))?;
            }
        }
        outlet.finish()?;
        if is_reader {
            return Ok(SentRows::Read { outlet, notes });
        }
        let mut stage = outlet.stages.pop();
        while let Some(mut through) = stage.take() {
            if std::ptr::eq(through.order(), self.order) {
                return Ok(SentRows::Passed(Box::new(through)));
            }
            if let Some(fault) = through.fault {
                return Err(fault);
            }
            stage = through.outlet.stages.pop();
        }
        Err(Fault::Bug("rows passed by".to_owned()))
    }
}

/// What the rows of an order were sent through.
enum SentRows<'a> {
    /// Nothing: the order reads them itself.
    Read {
        outlet: Outlet<'a>,
        notes: Vec<String>,
    },
    /// The order, which takes them in parts.
    Passed(Box<FlowStage<'a>>),
}

/// The rows of a result so far.
enum Kept<'a> {
    /// They are not wanted.
    Nothing,
    /// They go to somebody else.
    Given(Each<'a>),
    /// All of them; of what is made again, until they are many if nothing reads all.
    Parts {
        parts: Vec<Dataset>,
        size: u64,
        most: u64,
    },
    /// They were many: how many bytes, and how many a row has.
    Size { size: u64, row: u64 },
}

impl Kept<'_> {
    /// For the result of an order.
    fn of(order: &Order) -> Self {
        let most = match order.flows {
            Some(_) => LARGE,
            None => u64::MAX,
        };
        Self::Parts {
            parts: Vec::new(),
            size: 0,
            most,
        }
    }

    /// Adds the next rows; returns what is read of those after them.
    fn add(&mut self, rows: &Dataset) -> Result<ReadColumns, Fault> {
        match self {
            Self::Nothing => Ok(ReadColumns::none()),
            Self::Given(each) => each(rows.clone()),
            Self::Size { size, row } => {
                *size += rows.rows() as u64 * *row;
                Ok(ReadColumns::none())
            }
            Self::Parts { parts, size, most } => {
                *size += rows.size();
                if *size < *most {
                    parts.push(rows.clone());
                    return Ok(ReadColumns::All);
                }
                // These still have all columns.
                let row = rows.size() / (rows.rows() as u64).max(1);
                *self = Self::Size { size: *size, row };
                Ok(ReadColumns::none())
            }
        }
    }

    fn save(self, carrier: &mut Carrier<'_>) -> Result<(), Fault> {
        match self {
            Self::Nothing | Self::Given(_) => Ok(()),
            Self::Size { size, .. } => carrier.save_size(size),
            Self::Parts { parts, .. } => carrier.save_result(Arc::new(Dataset::of_parts(parts)?)),
        }
    }
}

/// Where the rows of a result go.
struct Outlet<'a> {
    kept: Kept<'a>,
    stages: Vec<FlowStage<'a>>,
    /// The columns that are read of the next rows.
    reads: ReadColumns,
    /// Those that are read of what is kept.
    of_kept: ReadColumns,
    /// How often these were found anew.
    found: usize,
}

impl<'a> Outlet<'a> {
    /// That of an order: to its result, and to what its rows pass on to.
    fn of(carrier: &Carrier<'a>) -> Self {
        let (place, results) = (carrier.place, carrier.results);
        let stages = carrier.order.flows.iter().flatten();
        let stages = stages
            .filter(|order| place.store.find(&order.key.digest).is_none())
            .map(|order| FlowStage::new(Carrier::new(order, &order.remakes, place, results)));
        Self::to(Kept::of(carrier.order), stages.collect())
    }

    /// To the next order on the way of rows, and nothing else.
    fn only(stage: FlowStage<'a>) -> Self {
        Self::to(Kept::Nothing, vec![stage])
    }

    fn to(kept: Kept<'a>, stages: Vec<FlowStage<'a>>) -> Self {
        Self {
            kept,
            stages,
            reads: ReadColumns::All,
            of_kept: ReadColumns::All,
            found: 0,
        }
    }

    fn give(&mut self, rows: Dataset) -> Result<(), Fault> {
        let kept = self.kept.add(&rows)?;
        let mut is_new = kept != self.of_kept || self.found == 0;
        self.of_kept = kept;
        if let Some((last, others)) = self.stages.split_last_mut() {
            for stage in others {
                is_new |= stage.take(rows.clone())?;
            }
            is_new |= last.take(rows)?;
        }
        if is_new {
            let stages = self.stages.iter().map(FlowStage::reads);
            self.reads = stages.fold(self.of_kept.clone(), ReadColumns::or);
            self.found += 1;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.stages.iter_mut().try_for_each(FlowStage::finish)
    }
}

/// An order on the way of rows.
struct FlowStage<'a> {
    carrier: Carrier<'a>,
    context: Context<'a>,
    /// None before the first rows.
    flow: Option<Box<dyn Flow>>,
    outlet: Outlet<'a>,
    /// Why it takes no more rows.
    fault: Option<Fault>,
    spent: Duration,
}

impl<'a> FlowStage<'a> {
    fn new(carrier: Carrier<'a>) -> Self {
        Self::to(Outlet::of(&carrier), carrier)
    }

    /// One whose rows go to an outlet.
    fn to(outlet: Outlet<'a>, carrier: Carrier<'a>) -> Self {
        Self {
            context: carrier.context(&|_| ()),
            carrier,
            flow: None,
            outlet,
            fault: None,
            spent: Duration::ZERO,
        }
    }

    fn order(&self) -> &'a Order {
        self.carrier.order
    }

    /// Takes the next rows, and returns whether it may read other columns of those after them. Its own
    /// faults wait for its own turn.
    fn take(&mut self, rows: Dataset) -> Result<bool, Fault> {
        let state = |stage: &Self| {
            (
                stage.flow.is_some(),
                stage.fault.is_some(),
                stage.outlet.found,
            )
        };
        let before = state(self);
        self.answer(|stage| {
            if stage.flow.is_none() {
                stage.flow = Some(stage.open(&rows)?);
            }
            match &mut stage.flow {
                Some(flow) => flow.push(rows, &stage.context),
                None => Ok(None),
            }
        })?;
        Ok(state(self) != before)
    }

    /// The columns that it reads of the next rows.
    fn reads(&self) -> ReadColumns {
        match (&self.fault, &self.flow) {
            (Some(_), _) => ReadColumns::none(),
            (None, Some(flow)) => flow.reads(&self.outlet.reads),
            (None, None) => ReadColumns::All,
        }
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.answer(|stage| match &mut stage.flow {
            Some(flow) => flow.finish(&stage.context),
            None => Err(Fault::user("there are no rows")),
        })?;
        match self.fault {
            Some(_) => Ok(()),
            None => self.outlet.finish(),
        }
    }

    /// Passes on what the plugin answers.
    fn answer(
        &mut self,
        ask: impl FnOnce(&mut Self) -> Result<Option<Dataset>, Fault>,
    ) -> Result<(), Fault> {
        if self.fault.is_some() {
            return Ok(());
        }
        let began = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| ask(self)));
        self.spent += began.elapsed();
        match answer.unwrap_or_else(|panic| Err(fault_of(panic))) {
            Ok(Some(rows)) if rows.rows() > 0 => self.outlet.give(rows),
            Ok(_) => Ok(()),
            Err(Fault::Cancelled) => Err(Fault::Cancelled),
            Err(fault) => {
                self.fault = Some(fault);
                Ok(())
            }
        }
    }

    fn open(&self, first: &Dataset) -> Result<Box<dyn Flow>, Fault> {
        let operation = self.carrier.operation()?;
        let field = operation.in_parts(&self.order().arguments);
        let field = field.and_then(InParts::input).unwrap_or_default();
        let head: AnyArtifact = Arc::new(first.take(&[]));
        let bindings = self.carrier.bindings_with(Some((field, &head)))?;
        operation.flow(&bindings)
    }

    /// Stores its result, and those of what its rows passed on to.
    fn save(mut self) -> Result<Carrier<'a>, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.carrier.notes.extend(self.context.take_notes());
        if let Some(started) = Instant::now().checked_sub(self.spent) {
            self.carrier.started = started;
        }
        self.outlet.kept.save(&mut self.carrier)?;
        for stage in self.outlet.stages {
            let _ = stage.save();
        }
        Ok(self.carrier)
    }
}
