#!/usr/bin/env python3
"""Writes the built-in corpus: short stories that state facts and recall them later.

    scripts/stories.py | gzip -9n > crates/miras-data/src/stories.txt.gz
    scripts/stories.py --check      # compares with the text in that file

The text is fixed for ever: losses on it are compared across versions.  Any change here changes it.

In a form, what stands in braces is filled in: `n`, `m` and `o` are the people of the story, `he`,
`him` and `his` are the pronouns of `n`, other names are those of the fact or of a word list, and
`a x` puts the right article before `x`.
"""

import gzip
import re
import sys
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "crates/miras-data/src/stories.txt.gz"
# The corpus ends with the first story that reaches this size.
MIN_BYTES = 1 << 20

WORDS = """
women: Mara; Ilse; Anna; Berit; Clara; Dora; Elin; Freya; Greta; Hanna; Ines; Judith; Karin; Lena;
  Martha; Nora; Olga; Petra; Rosa; Sonja; Thea; Ursula; Vera; Wilma; Agnes; Bella; Edith; Flora;
  Hilda; Ruth
men: Tom; Anton; Bruno; Carl; David; Emil; Felix; Georg; Hugo; Ivan; Jonas; Kaspar; Leo; Martin;
  Nils; Oscar; Paul; Robert; Simon; Theo; Victor; Walter; Arno; Bert; Edgar; Franz; Gustav; Henrik;
  Jakob; Otto
trade: baker; smith; weaver; miller; potter; tailor; carpenter; fisher; shepherd; gardener;
  clockmaker; painter; teacher; doctor; sailor; innkeeper; bookbinder; beekeeper; glassblower;
  cobbler; ferryman; hunter; musician; mason
place: mill; well; bridge; harbour; church; market; old tower; inn; school; forge; orchard;
  lighthouse; ferry; quarry; north gate; south gate; boathouse; chapel; town hall; bakery; stone
  barn; white fence; graveyard; sawmill; ruined castle; fountain; pond; tannery
object: lantern; silver key; map; drum; mirror; letter; compass; golden ring; knife; flute; clock;
  blanket; rope; book of songs; glass bowl; iron pot; violin; red scarf; spyglass; music box; copper
  bell; hammer; saddle; walking stick; umbrella; chessboard; necklace; fishing net
container: wooden chest; basket; blue jar; drawer; leather bag; cupboard; barrel; tin box; flour
  sack; hollow log; crate; bucket; trunk; clay pot
animal: dog; cat; goat; horse; donkey; raven; parrot; hen; pony; rabbit; goose; turtle; fox cub;
  lamb
pet: Biscuit; Pepper; Smoke; Button; Thunder; Pebble; Ginger; Shadow; Clover; Whistle; Pickle;
  Comet; Mustard; Velvet; Bramble; Acorn; Captain; Duchess; Nutmeg; Sparrow
food: apple pie; onion soup; smoked fish; honey cake; black bread; plum jam; roasted chestnuts; goat
  cheese; pea soup; fried eggs; pancakes; stewed pears; barley porridge; cherry tart; pickled
  cabbage; ginger biscuits
colour: red; green; blue; yellow; grey; brown; white; black; purple; orange
garment: coat; hat; cloak; jacket; shawl; apron
goods: apples; sheep; loaves of bread; barrels; candles; eggs; bricks; horses; fish; books;
  blankets; sacks of flour; chairs; bottles; nails; pumpkins
day: Monday; Tuesday; Wednesday; Thursday; Friday; Saturday; Sunday
season: spring; summer; autumn; winter
time: in the morning; at noon; in the evening; late at night; before sunrise; after supper; at the
  same hour; toward dusk
when: One morning; The next day; A week later; That evening; Soon after; At noon; Before long; Early
  in {season}; On {day}; When the bells rang,
weather: It was raining; The sun was shining; A cold wind blew; Fog lay on the fields; Snow was
  falling; The sky was clear; Thunder rolled over the hills; It was warm and still; The frost had
  come early
tree: oak; birch; pine; willow; chestnut; elm; apple; linden
bird: crow; swallow; robin; owl; stork; lark; gull; blackbird
adj: old; small; quiet; strange; happy; tired; clever; gentle; stubborn; cheerful; careful; proud
how: slowly; quietly; with a smile; without a word; in a hurry; as always; with great care; and
  sighed; and laughed; for the first time
mood: glad; worried; curious; calm; hungry; sleepy; surprised; angry
walk: walked; ran; rode; wandered; hurried; went; strolled; marched
said: said; said; said; whispered; cried
small: two; three; four; five; six; seven; eight; nine; ten
road: road; path; river; street; hill; valley; shore; lane
thing: a broken wheel; an empty nest; a coin with a hole; a letter without a name; a row of small
  boats; a footprint in the mud; a lost glove; a {colour} feather; smoke above the roofs; a {bird}
  on the fence; a cart full of {goods}
start: ka; mo; ti; vel; or; sa; bri; du; fen; ga; lu; ne; pol; ri; tha; wo
end: ra; lin; tok; mer; dan; vale; sund; bek; nis; por; wick; lo
"""

# Sentences that carry no facts.  In letters `n` writes to `m`.
FORMS = """
titles
  The {object} of {village}
  {n} and {m}
  What {n} knew
  {a adj} {season} in {village}
  The {adj} {trade}
  How {n} came to {village}
  The road to {village}
  A story about {n}
  {m}, {n} and the {object}
  The {season} of the {bird}s

openings
  {weather} when {n} came to {village}.
  In the town of {village}, {time}, people liked to tell stories.
  There was once a town called {village}, where {n}, {m} and {o} lived.
  {n}, {m} and {o} had been friends since school in {village}.
  This happened in {village}, in the {season} of a long year.
  {weather}, and the streets of {village} were empty.
  Nobody remembers who built {village}, but everybody remembers {n}.
  The {road} to {village} is long, and {n} knew every stone of it.
  When {n} was young, {village} had only {small} houses.
  If you ever come to {village}, ask for {n}.

fillers
  {weather}.
  {when} {a bird} sang in the {tree} tree.
  {when} {n} {walk} along the {road} and saw {thing}.
  {n} {walk} down to the {place} {how}.
  {m} looked out of the window and saw {thing}.
  The {bird}s were loud {time}.
  Nobody spoke for a while.
  {o} was {mood} and did not know why.
  "{weather}, I think," {said} {m}.
  "Did you see {thing}?" asked {o}. "No," {said} {n} {how}.
  {n} sat under {a tree} and thought about the {season}.
  {when} {small} travellers came through {village} and asked for water.
  {m} told {o} a joke about {a animal} and {a trade}, but {o} did not laugh.
  The {road} was steep and the night was long.
  {when} they ate {food} together, {adj} and {mood}.
  Somewhere a door closed, and {a animal} cried out.
  "You are {adj} today," {said} {o} to {m}.
  {m} was {mood}, but {n} was {mood}.
  There was {thing} near the {place}.
  {n} found {thing} and showed it to {m}.
  The people of {village} were {adj} and kind.
  {when} a storm took the roof of the {place}, and everyone helped to mend it.
  It takes {small} hours to walk from {village} to the sea.
  {o} had not slept for {small} nights.
  "Shall we go home?" asked {m}. "Not yet," {said} {n}.
  A {colour} flag hung above the {place}.
  {n} counted the steps to the {place} and forgot the number at once.
  The {season} was short that year, and the {tree} trees stood bare.
  {when} {m} dreamed of {a object} and woke up {mood}.
  {o} whistled a tune that {n} had never heard.

turns
  So the days passed, and {season} came.
  Then {small} years went by.
  One evening they all met at the table again.
  {when} somebody wanted to know more.
  Much later, people still asked about it.
  But that is not the end of the story.
  {when} {o} came back from the sea and had many questions.
  In the end it was all about memory.

closings
  And that is how it was in {village}.
  Then the lamp went out, and everyone slept.
  They talked until the {bird}s began to sing.
  After that day nobody in {village} forgot it.
  "Good night," {said} {n}, and closed the door.
  So ends the story of {n}, {m} and {o}.
  {n} smiled. {weather} again.
  The rest is another story.

letter fillers
  {weather} when I began this letter.
  I hope that you are well and not too {mood}.
  Yesterday I {walk} along the {road} and saw {thing}.
  Please give my love to {o}.
  I am {mood} these days, but do not worry.
  The {bird}s have come back to the {tree} by my window.
  Your last letter took {small} weeks to reach me.
  We had {food} for supper, and I thought of you.
  They say that the {season} will be {adj} this year.
  Do you remember the {object} that we lost as children?
  There is not much news from {village}.
  The evenings are long, and I read by candlelight.

greetings
  Dear {m},
  My dear {m},
  Good {m},
  To {m}:

farewells
  Your friend {n}
  With love, {n}
  Yours, {n}
  Write soon. {n}

reply openings
  Thank you for your letter from {village}.
  Your letter came on {day}, and I read it twice.
  How good to hear from you!
  I have your letter here beside the lamp.

quiz openings
  Questions about the story:
  What do you remember?
  The teacher asked the class:
  Now answer:

register titles
  From the register of {village}
  Notes of the town clerk of {village}
  The notice board of {village}
  What the watchman of {village} wrote down
"""

# Kinds of facts about a person `n`.  After `fact`: what is drawn for it, with a star if a later
# change of the fact draws it again.  Then the forms that state it in a story (tell), in a letter by
# `n` (write) and in a line of a register (note), that state its change (changed), and that recall it
# in a story (ask), in the answer of `m` to the letter (reply) and as a question with its answer
# (quiz).
FACTS = """
fact trade*
tell
  {n} was the {trade} of the town.
  Everyone knew {n}, the {trade}.
  {n} had been {a trade} since {he} was young.
  Like {his} mother before {him}, {n} became {a trade}.
  There was only one {trade} far and wide, and that was {n}.
write
  I work as {a trade} now.
  You ask what I do here: I am {a trade}.
  They have made me the {trade} of the whole town.
note
  {n}, {trade}
changed
  But {n} grew tired of the work and became {a trade} instead.
  Later {n} learned another trade, and from then on {he} was {a trade}.
ask
  "And what do you do, {n}?" asked the stranger. "I am {a trade}," {said} {n}.
  Somebody called for the {trade}, and {n} came at once.
  "I need {a trade}," {said} a traveller. "Then go to {n}," {said} {m}.
  {m} tried to guess the trade of {n}. It was easy: {trade}.
reply
  So you are {a trade} now! I told everyone at home.
  I never thought that you would become {a trade}.
quiz
  What was the trade of {n}? {a trade}.
  Who was the {trade}? {n}.

fact place*
tell
  {n} lived near the {place}.
  The house of {n} stood beside the {place}.
  {n} had rented a room behind the {place}.
  From {his} bed {n} could see the {place}.
write
  I live beside the {place} now, so write to me there.
  My room is close to the {place}.
note
  {n}, house near the {place}
changed
  In {season} {n} moved to a house near the {place}.
  Then {n} left that house and took another beside the {place}.
ask
  "Where does {n} live?" asked a boy. "Near the {place}," {said} {m}.
  {m} wanted to visit {n} and went to the {place}.
  The postman had a parcel for {n} and carried it to the house near the {place}.
  "I am going home," {said} {n}, and turned toward the {place}.
reply
  I send this to your house near the {place}.
  Is it not loud, so close to the {place}?
quiz
  Where did {n} live? Near the {place}.
  Who lived near the {place}? {n}.

fact animal pet
tell
  {n} had {a animal} called {pet}.
  Wherever {n} went, {his} {animal} {pet} went too.
  {n} had found {a animal} in the {season} and named it {pet}.
  {pet}, the {animal} of {n}, slept by the door.
write
  I have {a animal} now, and its name is {pet}.
  You would like {pet}, my {animal}.
note
  {n}, one {animal}, answers to {pet}
ask
  "{pet}!" called {n}, and the {animal} came running.
  "What is the name of your {animal}?" asked {m}. "{pet}," {said} {n}.
  {m} found {a animal} in the street. "This is {pet}," {said} {m}, "it belongs to {n}."
  {n} could not sleep, because {pet} the {animal} was not at home.
reply
  Give {pet} a kiss from me. {a animal} is good company.
  Does your {animal} {pet} bite?
quiz
  What was the {animal} of {n} called? {pet}.
  Who or what was {pet}? The {animal} of {n}.

fact food*
tell
  Nothing pleased {n} more than {food}.
  {n} ate {food} every {day}.
  For {food}, {n} would have walked to the end of the world.
write
  They make good {food} here, and I eat nothing else.
  I live on {food} and tea.
note
  {n}, always orders {food}
changed
  After an illness {n} wanted only {food}.
ask
  "What shall I cook for {n}?" asked the innkeeper. "{food}," {said} {m}.
  {m} wanted to please {n} and brought {food}.
  There were many dishes on the table, but {n} took only the {food}.
reply
  Do not eat too much {food}!
  Mother laughed about the {food}.
quiz
  What did {n} like to eat? {food}.
  Who liked {food}? {n}.

fact object container* place*
tell
  {n} hid the {object} in {a container} at the {place}.
  {n} owned {a object}, which {he} kept in {a container} near the {place}.
  Afraid of thieves, {n} carried the {object} to the {place} and put it in {a container}.
write
  Nobody else may know it: the {object} is in {a container} at the {place}.
  If I do not come back, look for the {object} in {a container} at the {place}.
note
  {n}, left {a object} in {a container} at the {place}
changed
  But {he} did not trust the place, so {n} moved the {object} to {a container} at the {place}.
  {when} {n} took the {object} away and hid it again, in {a container} at the {place}.
ask
  "Where is the {object}?" asked {m}. "In the {container} at the {place}," {said} {n}.
  {m} needed the {object}, went to the {place} and opened the {container}. There it was.
  "I know where {n} hid the {object}," {said} {m}: "at the {place}, in the {container}."
  {n} {walk} to the {place}, opened the {container} and took out the {object}.
reply
  I went to the {place} and looked in the {container}: the {object} is still there.
  I shall tell nobody that the {object} is in the {container} at the {place}.
quiz
  Where was the {object}? In the {container} at the {place}.
  What was in the {container} at the {place}? The {object} of {n}.

fact word*
tell
  The secret word of {n} was "{word}".
  "Remember this word: {word}," {said} {n} to {m}.
  On the door of {n} somebody had carved the word "{word}".
  There was a song that only {n} knew, and its first word was "{word}".
write
  If somebody asks you for the word, say "{word}".
  The word that opens my door is "{word}".
note
  {n}, secret word {word}
changed
  When too many people knew it, {n} chose a new word: "{word}".
ask
  "Say the word of {n}," {said} the guard. "{word}," {said} {m}, and the gate opened.
  {m} had forgotten the word, but {n} whispered: "{word}".
  Even in sleep {n} said it: "{word}, {word}."
reply
  I said "{word}" at the door, and they let me in.
  I have learned the word by heart: {word}.
quiz
  What was the word of {n}? {word}.
  Whose word was "{word}"? {n}.

fact number* goods
tell
  {n} owned {number} {goods}, not one more.
  In the barn of {n} there were {number} {goods}.
  {n} had bought {number} {goods} at the market.
write
  I have {number} {goods} in the cellar now.
  A man sold me {number} {goods} for almost nothing.
note
  {n}, {number} {goods}
changed
  {when} {n} counted again, and now there were {number} {goods}.
  After the trade {n} had {number} {goods}.
ask
  "How many {goods} have you got, {n}?" asked {m}. "{number}," {said} {n}.
  {m} counted the {goods} of {n}. There were {number}.
  The tax collector wrote down: {n}, {number} {goods}.
reply
  What will you do with {number} {goods}?
  I should like to see all your {goods}. {number} of them!
quiz
  How many {goods} did {n} have? {number}.
  Who had {number} {goods}? {n}.

fact day* place
tell
  {n} and {m} wanted to meet at the {place} on {day}.
  "Meet me at the {place} on {day}," {said} {n} to {m}.
  {n} had promised {m} to be at the {place} on {day}.
write
  Come to the {place} on {day}, and I shall wait for you.
  I shall be at the {place} on {day}.
note
  {n} meets {m} on {day} at the {place}
changed
  "Not then," {said} {m}, "let us say {day}." {n} agreed.
ask
  It was {day}, and {n} stood at the {place} and waited for {m}.
  "When do you meet {m}?" asked the neighbour. "On {day}, at the {place}," {said} {n}.
  "Do not forget: {day}, at the {place}," {said} {m} to {n}.
reply
  I shall come to the {place} on {day}.
  On {day} I cannot be at the {place}, I am sorry.
quiz
  When did {n} meet {m}? On {day}.
  Where did {n} meet {m}? At the {place}.

fact colour* garment
tell
  {n} always wore {a colour} {garment}.
  You could see {n} from far away by {his} {colour} {garment}.
  A tailor had made {a colour} {garment} for {n}.
write
  I have bought {a colour} {garment}.
  You will know me by my {colour} {garment}.
note
  {n}, {colour} {garment}
changed
  When it was worn out, {n} bought {a colour} {garment}.
ask
  "Who is that in the {colour} {garment}?" asked a child. "That is {n}," {said} {m}.
  {m} saw {a colour} {garment} in the crowd and knew that it was {n}.
  It was cold, so {n} put on the {colour} {garment}.
reply
  I can see you before me in your {colour} {garment}.
  Does the {colour} {garment} keep you warm?
quiz
  What did {n} wear? {a colour} {garment}.
  Who wore {a colour} {garment}? {n}.

fact object
tell
  {n} gave the {object} to {m}.
  {n} had {a object}, but {he} lent it to {m}.
  {m} won the {object} from {n} in a game of cards.
write
  Keep the {object} that I gave you, it is yours now.
  I have sent you my {object}.
note
  {n} gave {a object} to {m}
ask
  "Who has the {object} now?" asked a neighbour. "{m} has it," {said} {n}.
  {m} still had the {object} and thought of {n}.
  {n} asked for the {object}, and {m} gave it back for a day.
reply
  The {object} that you sent stands on my table.
  I shall take good care of your {object}.
quiz
  Who got the {object}? {m}.
  What did {n} give to {m}? The {object}.
"""


def parse_words():
    """The word lists by name."""
    entries = WORDS.replace("\n  ", " ").strip().split("\n")
    return {name: words.split("; ") for name, words in (entry.split(": ") for entry in entries)}


def parse_forms(text):
    """Lists of indented forms by the name above them."""
    forms = {}
    for line in text.strip().split("\n"):
        if line.startswith("  "):
            forms[name].append(line.strip())
        elif line:
            name = line
            forms[name] = []
    return forms


def parse_facts():
    """The kinds of facts: their slots, whether a slot changes, and their forms."""
    kinds = []
    for text in FACTS.strip().split("\n\n"):
        head, forms = text.split("\n", 1)
        slots = {slot.strip("*"): slot.endswith("*") for slot in head.split()[1:]}
        kinds.append((slots, parse_forms(forms)))
    return kinds


WORDS, FORMS, FACTS = parse_words(), parse_forms(FORMS), parse_facts()

# Where a sentence begins, up to its first letter.
START = r'(?:^|(?<=[.?!] ))"*[a-z]'

MASK = (1 << 64) - 1
# The golden ratio in 64 bits, the step of SplitMix64.
GOLDEN = 0x9E3779B97F4A7C15


def mix(word):
    """The output function of SplitMix64."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & MASK
    word = (word ^ word >> 27) * 0x94D049BB133111EB & MASK
    return word ^ word >> 31


class Stream:
    """The numbers of miras_random::Stream: xoshiro256** with a state hashed from its arguments."""

    def __init__(self, seed, purpose, index):
        state = mix(seed + GOLDEN & MASK)
        for word in [len(purpose), *purpose.encode(), 1, index]:
            state = mix((state + GOLDEN & MASK) ^ word)
        self.state = [mix(state + step * GOLDEN & MASK) for step in range(1, 5)]

    def next(self):
        a, b, c, d = self.state
        c, d = c ^ a, d ^ b
        self.state = [a ^ d, b ^ c, c ^ (b << 17 & MASK), rotate(d, 45)]
        return rotate(b * 5 & MASK, 7) * 9 & MASK

    def below(self, bound):
        """A number from 0 to `bound - 1`, by Lemire's method."""
        while True:
            product = self.next() * bound
            if product & MASK >= (1 << 64) % bound:
                return product >> 64

    def pick(self, items):
        return items[self.below(len(items))]

    def shuffle(self, items):
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]

    def distinct(self, bound, count):
        """`count` different numbers below `bound`, by Floyd's method."""
        numbers = []
        for top in range(bound - count, bound):
            drawn = self.below(top + 1)
            numbers.append(top if drawn in numbers else drawn)
        self.shuffle(numbers)
        return numbers


def rotate(word, bits):
    return (word << bits | word >> 64 - bits) & MASK


class Fact:
    def __init__(self, kind, who):
        self.slots, self.forms = kind
        self.who = who
        self.values = {}


class Story:
    def __init__(self, number):
        self.stream = Stream(0, "built-in stories 1", number)
        self.people = [(name, "she", "her", "her") for name in WORDS["women"]]
        self.people += [(name, "he", "him", "his") for name in WORDS["men"]]
        self.stream.shuffle(self.people)
        del self.people[3:]
        self.village = self.invented()
        # Values in use: each belongs to one fact, so that a question has one answer.
        self.used = set()
        # Forms without facts that have been used.
        self.told = set()
        self.text = ""
        [self.letters, self.register, self.tale, self.tale, self.tale][self.stream.below(5)]()

    def tale(self):
        """Facts among scenes, and later what became of them."""
        facts = self.facts(3 + self.stream.below(3))
        self.sentence("titles")
        self.text += "\n\n"
        self.sentence("openings")
        for fact in facts:
            self.say(fact, "tell")
            if any(fact.slots.values()) and self.stream.below(4) == 0:
                self.filler()
                self.draw(fact, [slot for slot, changes in fact.slots.items() if changes])
                self.say(fact, "changed")
            self.filler()
        self.text += "\n"
        self.sentence("turns")
        self.stream.shuffle(facts)
        if self.stream.below(3) == 0:
            self.quiz(facts)
        else:
            for fact in facts:
                self.say(fact, "ask")
                if self.stream.below(2) == 0:
                    self.filler()
            self.sentence("closings")
            self.text += "\n"

    def letters(self):
        """A letter and its answer."""
        facts = self.facts(2 + self.stream.below(3))
        for fact in facts:
            fact.who = (0, 1)
        self.sentence("greetings")
        self.text += "\n"
        for fact in facts:
            self.sentence("letter fillers")
            self.say(fact, "write")
        self.text += "\n"
        self.sentence("farewells")
        self.text += "\n\n"
        self.sentence("greetings", (1, 0))
        self.text += "\n"
        self.sentence("reply openings", (1, 0))
        self.stream.shuffle(facts)
        for fact in facts:
            self.say(fact, "reply")
            if self.stream.below(2) == 0:
                self.sentence("letter fillers", (1, 0))
        self.text += "\n"
        self.sentence("farewells", (1, 0))
        self.text += "\n"

    def register(self):
        """Short lines of facts, then questions."""
        facts = self.facts(5 + self.stream.below(4))
        self.sentence("register titles")
        self.text += "\n\n"
        for number, fact in enumerate(facts, 1):
            self.text += f"{number}."
            self.say(fact, "note")
            self.text += "\n"
        self.filler()
        self.text += "\n"
        self.stream.shuffle(facts)
        self.quiz(facts)

    def quiz(self, facts):
        self.sentence("quiz openings")
        self.text += "\n"
        for fact in facts:
            self.say(fact, "quiz")
            self.text += "\n"

    def facts(self, count):
        """Different facts, with their values drawn."""
        facts = []
        for choice in self.stream.distinct(3 * len(FACTS), count):
            kind, n = divmod(choice, 3)
            fact = Fact(FACTS[kind], (n, (n + 1 + self.stream.below(2)) % 3))
            self.draw(fact, fact.slots)
            facts.append(fact)
        return facts

    def draw(self, fact, slots):
        """Gives slots values that no fact of this story has had."""
        for slot in slots:
            # The lists are longer than a story needs, so a few attempts find a free value.
            for _ in range(100):
                if slot == "word":
                    value = self.invented()
                elif slot == "number":
                    value = str(11 + self.stream.below(89))
                else:
                    value = self.stream.pick(WORDS[slot])
                if value not in self.used:
                    break
            self.used.add(value)
            fact.values[slot] = value

    def invented(self):
        """A made-up word of two or three syllables."""
        skipped = self.stream.below(2)
        syllables = [self.stream.pick(WORDS[name]) for name in ("start", "start", "end")]
        return "".join(syllables[skipped:]).capitalize()

    def filler(self):
        n = self.stream.below(3)
        self.sentence("fillers", (n, (n + 1 + self.stream.below(2)) % 3))

    def sentence(self, name, who=(0, 1)):
        """Adds a sentence without facts, of a form new to this story if there is one."""
        form = self.stream.pick([f for f in FORMS[name] if f not in self.told] or FORMS[name])
        self.told.add(form)
        self.add(self.expand(form, who, {}))

    def say(self, fact, how):
        self.add(self.expand(self.stream.pick(fact.forms[how]), fact.who, fact.values))

    def expand(self, form, who, values):
        """Fills in what stands in braces."""
        result, *rest = form.split("{")
        for piece in rest:
            name, after = piece.split("}")
            value = self.value(name.removeprefix("a "), who, values)
            if name.startswith("a "):
                result += "an " if value[0] in "aeiou" else "a "
            result += value + after
        return result

    def value(self, name, who, values):
        n, m = who
        people = self.people
        known = dict(zip(("n", "he", "him", "his"), people[n]))
        known |= {"m": people[m][0], "o": people[3 - n - m][0], "village": self.village}
        known |= values
        return known.get(name) or self.expand(self.stream.pick(WORDS[name]), who, values)

    def add(self, sentence):
        """Adds a sentence to the line, with capital letters where sentences begin."""
        if self.text and not self.text.endswith("\n"):
            self.text += " "
        self.text += re.sub(START, lambda start: start[0].upper(), sentence)


def corpus():
    text, number = "", 0
    while len(text) < MIN_BYTES:
        text += Story(number).text + "\n"
        number += 1
    return text.encode()


def main():
    if sys.argv[1:] == ["--check"]:
        if gzip.decompress(FILE.read_bytes()) != corpus():
            sys.exit(f"the text in {FILE} is not the one that this program writes")
        print(f"{FILE} holds the text that this program writes")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        sys.stdout.buffer.write(corpus())


if __name__ == "__main__":
    main()
