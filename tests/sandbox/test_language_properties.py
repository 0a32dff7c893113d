"""The language against itself (print and parse) and against a grammar written in lark."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftrack_like.sandbox.language import (
    AGGREGATES,
    Aggregate,
    And,
    Compare,
    ExpressionError,
    Literal,
    Not,
    Or,
    Order,
    Part,
    Path,
    Query,
    Some,
    Within,
    parse,
    to_text,
)

NAMES = ["name", "id", "status", "parent", "group", "from", "to", "order", "limit", "_link", "in"]
TYPES = ["Task", "Shot", "from", "where"]
OPERATORS = ["is", "is_not", ">", "<", ">=", "<=", "like", "not_like"]

# Trees


def joined(children):
    """Return criteria made of *children*, at least two for "and" and "or"."""
    several = st.lists(children, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        several.map(And),
        several.map(Or),
        children.map(Not),
        st.builds(Some, paths, st.sampled_from(["any", "has"]), children),
    )


parts = st.builds(Part, st.sampled_from(NAMES), st.one_of(st.none(), st.sampled_from(TYPES)))
paths = (
    st.lists(parts, min_size=1, max_size=3)
    .map(lambda found: Path(tuple(found)))
    .filter(lambda path: path.parts[0].name != "not")
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
literals = st.one_of(
    st.builds(Literal, texts),
    st.sampled_from(["none", "12.5", "2015-06-01T10:00:00+02:00", "a%_b", "x=y"]).map(
        lambda text: Literal(text, False)
    ),
)
compares = st.builds(Compare, paths, st.sampled_from(OPERATORS), literals)
lists = st.lists(literals, max_size=3).map(tuple)
conditions = st.one_of(
    compares,
    st.builds(Within, paths, lists, st.booleans()),
    st.builds(Some, paths, st.sampled_from(["any", "has"]), st.none()),
    st.builds(
        Within,
        paths,
        st.builds(Query, st.sampled_from(TYPES), st.tuples(paths), st.one_of(st.none(), compares)),
    ),
)
criteria = st.recursive(conditions, joined, max_leaves=4)
projections = st.one_of(paths, st.builds(Aggregate, st.sampled_from(AGGREGATES), paths))
queries = st.builds(
    Query,
    st.sampled_from(TYPES),
    st.one_of(st.none(), st.lists(projections, min_size=1, max_size=3).map(tuple)),
    st.one_of(st.none(), criteria),
    st.lists(paths, max_size=2).map(tuple),
    st.lists(st.builds(Order, paths, st.booleans()), max_size=2).map(tuple),
    st.integers(0, 1000),
    st.one_of(st.none(), st.integers(0, 1000)),
)


@settings(max_examples=300)
@given(queries)
def test_printed_tree_parses_to_the_same_tree(query):
    """Whatever tree is printed, reading the text gives it back."""
    assert parse(to_text(query)) == query


# The oracle

GRAMMAR = r"""
start: query
query: SELECT projections FROM NAME [WHERE _or] tail* | FIRST_TYPE [WHERE _or] tail*
projections: projection ("," projection)*
?projection: path | aggregate
aggregate: AGGREGATE "(" path ")"
tail: GROUP BY path ("," path)* -> group
    | ORDER BY order ("," order)* -> order_by
    | OFFSET INTEGER -> offset
    | LIMIT INTEGER -> limit
order: path [DIRECTION]
_or: or
or: and (OR and)*
and: not (AND not)*
?not: NOT not -> negated
    | "(" or ")"
    | condition
condition: condition_path QUANTIFIER "(" [or] ")" -> some
         | condition_path MEMBERSHIP "(" (query_inside | values) ")" -> within
         | condition_path OPERATOR value -> compare
query_inside: SELECT projections FROM NAME [WHERE _or] tail*
values: [value ("," value)* [","]]
value: TEXT -> text | BARE -> bare
path: part ("." part)*
condition_path: first_part ("." part)* -> path
first_part: FIRST_NAME ["[" NAME "]"] -> part
part: NAME ["[" NAME "]"]

SELECT: /select\b/i
FROM: /from\b/i
WHERE: /where\b/i
GROUP: /group\b/i
ORDER: /order\b/i
BY: /by\b/i
OFFSET: /offset\b/i
LIMIT: /limit\b/i
AND: /and\b/i
OR: /or\b/i
NOT: /not\b/i
AGGREGATE: /(avg|count|max|min|sum)\b/i
QUANTIFIER: /(any|has)\b/i
MEMBERSHIP: /(in|not_in)\b/i
DIRECTION: /(ascending|asc|descending|desc)\b/i
OPERATOR: /(is_not|is|after|greater_than|before|less_than|like|not_like)\b|[<>!]=|=(?![=<>])|<(?![=>])|>(?!=)/i
NAME: /[^\W\d]\w*/
FIRST_NAME: /(?!not\b)[^\W\d]\w*/i
FIRST_TYPE: /(?!select\b)[^\W\d]\w*/i
INTEGER: /[0-9]{1,19}(?![^\s()"',])/
TEXT: /[uU]?("[^"\\]*(\\.[^"\\]*)*"|'[^'\\]*(\\.[^'\\]*)*')/s
BARE: /(?![uU]["'])[^\s()"',]+/
%ignore /\s+/
"""  # noqa: E501 (a pattern of lark stands on one line)

SPELLINGS = {
    "=": "is",
    "!=": "is_not",
    "after": ">",
    "greater_than": ">",
    "before": "<",
    "less_than": "<",
}


def unescaped(text):
    """Return *text* with each backslash before a quote or a backslash taken away."""
    kept, rest = "", text
    while rest:
        escape = rest[0] == "\\" and rest[1:2] in ('"', "'", "\\")
        kept, rest = (kept + rest[1], rest[2:]) if escape else (kept + rest[0], rest[1:])
    return kept


def make_oracle():
    """Return a function that gives the tree of a text by the grammar, or None."""
    lark = pytest.importorskip("lark")

    class Trees(lark.Transformer):
        def part(self, children):
            name, cast = children
            return Part(str(name), cast and str(cast))

        def path(self, children):
            return Path(tuple(children))

        def aggregate(self, children):
            return Aggregate(children[0].lower(), children[1])

        def text(self, children):
            return Literal(unescaped(children[0].lstrip("uU")[1:-1]))

        def bare(self, children):
            return Literal(str(children[0]), False)

        def values(self, children):
            return tuple(child for child in children if isinstance(child, Literal))

        def compare(self, children):
            operator = children[1].lower()
            return Compare(children[0], SPELLINGS.get(operator, operator), children[2])

        def within(self, children):
            return Within(children[0], children[2], children[1].lower() == "not_in")

        def some(self, children):
            return Some(children[0], children[1].lower(), children[2])

        def negated(self, children):
            return Not(children[1])

        def _several(self, kind, children):
            found = [child for child in children if not isinstance(child, lark.Token)]
            return found[0] if len(found) == 1 else kind(tuple(found))

        def projections(self, children):
            return tuple(children)

        def order(self, children):
            direction = children[1] and children[1].lower()
            return Order(children[0], direction in ("desc", "descending"))

        def group(self, children):
            return {"group_by": tuple(children[2:])}

        def order_by(self, children):
            return {"order_by": tuple(children[2:])}

        def offset(self, children):
            return {"offset": int(children[1])}

        def limit(self, children):
            return {"limit": int(children[1])}

        def query(self, children):
            if children[0].type == "FIRST_TYPE":
                children = [None, None, None, *children]
            _, selected, _, name, _, found, *tails = children
            fields = {}
            for tail in tails:
                if fields.keys() & tail.keys():
                    raise ValueError("given twice")
                fields.update(tail)
            return Query(str(name), selected, found, **fields)

        query_inside = query

        def start(self, children):
            return children[0]

    setattr(Trees, "or", lambda self, children: self._several(Or, children))
    setattr(Trees, "and", lambda self, children: self._several(And, children))
    grammar = GRAMMAR.replace("_or: or\n", "").replace("_or", "or")
    parser = lark.Lark(grammar, parser="earley", lexer="dynamic", maybe_placeholders=True)

    def oracle(text):
        try:
            return Trees().transform(parser.parse(text))
        except (lark.exceptions.UnexpectedInput, lark.exceptions.VisitError):
            return None

    return oracle


@pytest.fixture(scope="module")
def oracle():
    """Return what gives the tree of a text by the grammar, None for what it refuses."""
    return make_oracle()


def by_us(text):
    try:
        return parse(text)
    except ExpressionError:
        return None


WORDS = [
    "select", "from", "where", "and", "or", "not", "in", "not_in", "is", "is_not", "=", "!=", ">=",
    "like", "any", "has", "order", "by", "group", "limit", "offset", "desc", "count", "name", "id",
    "Task", "parent", "(", ")", ",", ".", "[", "]", '"x"', "'y\\'z'", "5", "none", "()", "%a",
]  # fmt: skip


@settings(max_examples=200)
@given(data=st.data())
def test_oracle_agrees_on_texts_that_are_nearly_right(oracle, data):
    """A valid text with a word lost, doubled, put in or moved is read or refused by both alike."""
    text = to_text(data.draw(queries))
    pieces = text.split(" ")
    index = data.draw(st.integers(0, len(pieces) - 1))
    change = data.draw(st.sampled_from(["nothing", "lose", "double", "put in", "glue"]))
    if change == "lose":
        del pieces[index]
    elif change == "double":
        pieces.insert(index, pieces[index])
    elif change == "put in":
        pieces.insert(index, data.draw(st.sampled_from(WORDS)))
    text = " ".join(pieces)
    if change == "glue":
        text = text.replace(" ", "", 1) if index % 2 else text.replace('" ', '"', 1)

    assert by_us(text) == oracle(text)


@settings(max_examples=200)
@given(words=st.lists(st.sampled_from(WORDS), max_size=9), blank=st.sampled_from([" ", "\n", ""]))
def test_oracle_agrees_on_any_words(oracle, words, blank):
    """Words in any order after the start of a query are read or refused by both alike."""
    text = "Task where name is " + blank.join(words)

    assert by_us(text) == oracle(text)
