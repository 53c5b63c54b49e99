"""The words and phrases that yes and no are made of, each with what it does in an answer. PURE.

Phrases are written as people say them. What is put together by rule ("I would not like that") needs no line
here: a line is for what a word means by itself, and for phrases that do not mean what their words say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache


class Part(Enum):
    """What a word or phrase does in an answer."""

    YES = "yes"
    """Agrees by itself: "absolutely", "no problem"."""
    WEAK = "weak"
    """Agrees when nothing stronger is said: "okay", "fine"; after a no it only makes it softer."""
    SO_SO = "so so"
    """Means yes to "is that okay?"; to an offer it may be either: "it's okay"."""
    NO = "no"
    """Refuses by itself: "I'll pass", "no way"."""
    NO_WORD = "no word"
    """A no that, to "do you mind?", agrees: "no", "not at all"."""
    YES_WORD = "yes word"
    """A yes that, to "do you mind?", may be either: "yes", "I do"."""
    NOT = "not"
    """Turns what is with it."""
    GOOD = "good"
    """Means yes in a whole sentence, and no with a "not": "would", "like", "agree"."""
    THAT_IS_ALL = "that is all"
    """Means no to "anything else?", and yes to "is that right?"."""
    I_AM_GOOD = "I am good"
    """Means no to an offer, and yes to "are you ready?"."""
    WRONG = "wrong"
    """Says that something was misunderstood."""
    CHANGED = "changed"
    """Takes back an order, and means no to anything else."""
    NOT_DONE = "not done"
    """Means that there is something else: "that's not all"."""
    FAREWELL = "farewell"
    NOT_YET = "not yet"
    UNSURE = "unsure"
    CONDITION = "condition"
    HEARSAY = "hearsay"
    """Somebody else's word, or talk about what was said."""
    QUESTION = "question"
    BUT = "but"
    RESET = "reset"
    """Takes back what was said before it: "wait", "scratch that"."""
    PLEASE = "please"
    """Agrees when it stands alone."""
    TURN = "turn"
    """Lets what follows replace what was said before, if it is an answer: "actually", "I mean"."""
    LINK = "link"
    """Joins clauses: "because"."""
    FILL = "fill"
    """Adds nothing to an answer."""
    NAMED = "named"
    """A word of the question itself: "cancel", after "shall I cancel it?"."""
    OTHER = "other"
    """Any other word."""


_NT = {"won't": "will not", "wont": "will not", "can't": "can not", "cannot": "can not", "cant": "can not"}
_NT |= {"shan't": "shall not", "ain't": "is not", "aint": "is not", "dunno": "do not know"}
_NT |= {"wanna": "want to", "gonna": "going to", "gotta": "got to", "lemme": "let me", "gimme": "give me"}
_NT |= {"let's": "let us", "lets": "let us", "thats": "that is", "whats": "what is", "im": "i am"}
_NT |= {"ive": "i have", "id": "i would", "youre": "you are", "y'know": "you know", "c'mon": "come on"}
_VERBS = "do|does|did|is|are|was|were|would|could|should|has|have|had|must|need|might"
_DRAWN = re.compile(r"^(no|yes|yeah|yep|nope|nah)(?:\1|[oseah])*$")
"""Words drawn out: "nooo", "yesss"."""
_RULES = (
    (re.compile(rf"^({_VERBS})n'?t$"), r"\1 not"),
    (re.compile(r"^(\w+)'m$"), r"\1 am"),
    (re.compile(r"^(\w+)'re$"), r"\1 are"),
    (re.compile(r"^(\w+)'ve$"), r"\1 have"),
    (re.compile(r"^(\w+)'ll$"), r"\1 will"),
    (re.compile(r"^(i|you|he|she|we|they|it|that|who|what|there)'d$"), r"\1 would"),
    (re.compile(r"^(that|it|he|she|what|there|here|who|where|how|why|when|answer)'s$"), r"\1 is"),
)


def expanded(text: str) -> str:
    """Lower-case words with their contractions written out: "don't" is "do not", "that's" is "that is"."""
    return " ".join([_full(word) for word in text.split()])


@lru_cache(4096)
def _full(word: str) -> str:
    word = _DRAWN.sub(r"\1", word.strip("'"))
    full = _NT.get(word, word)
    for pattern, becomes in _RULES:
        full = pattern.sub(becomes, full)
    return full


_PHRASES: dict[Part, str] = {
    Part.YES_WORD: """yes | yeah | yep | yup | yea | yah | yas | yess | yesss | yes'm | ya | aye | uh huh
        | mm hmm | mmhmm | mm hm | mhm | mhmm | mm mhm | mmm hmm | uhhuh | um hum | um hmm | hm hmm | oui
        | si | yessir | yeppers | ja | hell yes | hell yeah | heck yes | heck yeah""",
    Part.YES: """no hesitation | no time like the present | never been surer | never been more sure |
        never been so sure | will not say no | not going to say no | would never say no | would not object
        | would not disagree | can not object | would be a fool not to | would be crazy not to |
        would be silly not to | how could i not | do not let me stop you | would not hesitate |
        nothing i would like better | nothing i would like more | sure thing | sure | absolutely |
        certainly | definitely | of course | by all means | affirmative | indeed | totally | exactly |
        precisely | naturally | obviously | for sure | you bet | you betcha | you bet your life |
        you know it | bet | go ahead | go for it | go on then | go right ahead | carry on | proceed |
        do it | do that | do so | just do it | please do | make it so | do it now | be my guest |
        knock yourself out | why not | why ever not | why would i not | why should i not | who would not |
        i do not see why not | do not see why not | can not see why not | see no reason why not |
        see no reason not to | no reason not to | can not think of a reason not to |
        there is no reason not to | sounds good | sounds great | sounds fine | sounds right |
        sounds perfect | sounds like a plan | sounds lovely | sounds wonderful | sound good | works for me
        | fine by me | fine with me | okay by me | okay with me | good by me | suits me | i am in |
        count me in | i am down | i am game | i am for it | i am on board | i am okay with that |
        i am fine with that | i am good with that | i am happy with that | let us do it | let us do that |
        let us go | let us | deal | it is a deal | agreed | granted | confirmed | ten four | 10 4 | roger
        | roger that | copy that | no problem | no problems | no problemo | no problem at all |
        not a problem | no probs | no worries | not to worry | no trouble | no trouble at all | no bother
        | no sweat | no big deal | no biggie | no issue | no issues | no objection | no objections |
        no complaints | no doubt | no doubts | no question | no question about it | without a doubt |
        without question | without hesitation | beyond doubt | without any doubt | no harm in that |
        no harm | do not see the harm | see no harm | no arguments here | no argument here |
        no argument from me | nothing wrong with that | nothing wrong with it | nothing wrong |
        nothing against it | nothing against that | can not complain | can not argue with that |
        can not say no | could not say no | can not say no to that | can not go wrong | would not say no |
        would not say no to that | could not agree more | could not be better | could not be happier |
        could not hurt | can not hurt | would not hurt | does not hurt | it can not hurt | can not wait |
        can hardly wait | would not miss it | would not miss it for the world |
        would not have it any other way | would not mind | do not mind | do not object |
        would not mind that | do not mind if i do | does not bother me | do not hesitate | i would love to
        | i would love that | i would be glad to | i would be happy to | i would be delighted |
        with pleasure | my pleasure | gladly | happily | i think so | i believe so | i should think so |
        i would say so | think so | believe so | imagine so | i would say yes | i am afraid so | i hope so
        | nothing would make me happier | would like nothing more | would like nothing better |
        there is nothing i would like more | nothing would please me more | better late than never |
        never better | damn right | damn straight | darn right | you are right | you got it |
        you have got it | that is the one | bingo | bang on | spot on | thumbs up | hundred percent |
        one hundred percent | a hundred percent | 100 percent | 100% | amen | if you would | if you could
        | okay dokey | okey dokey | okie dokie | righto | right on | righty o | very much so | as you wish
        | consider it done | that is a yes | a yes | please proceed | please go ahead | yes please do |
        not a bad idea | not an issue | not a big deal | not half | why not indeed | sure why not |
        never say no | never say never | like you would not believe | you can say that again | you said it
        | tell me about it | that is what i want | that is what i said | that is what i need |
        it is what i want | exactly what i want | that is right | that is correct | it is right |
        it is correct | is correct | you have that right | you got that right | good idea | great idea |
        excellent idea | a good idea | a great idea | positive | undoubtedly | unquestionably | undeniably
        | always | anytime | any time | continue | approved | accepted | okey doke | right o |
        music to my ears | you read my mind | can not disagree | do not disagree | can not refuse |
        no reason why not | do not see a reason not to | do not see any reason not to | not against it |
        not against that | not opposed | feel free | looks good | looks right | looks fine | looks perfect |
        sounds about right | nothing to change | no changes | no mistakes there | no mistake there | no
        mistakes | no mistake | no errors | might as well | let us go ahead | let us proceed | that will do
        nicely |
        read my mind | that is exactly right | that is perfectly right | will do | can do | sure do""",
    Part.PLEASE: "please | pretty please",
    Part.WEAK: """okay | ok | k | alright | all right | right | fine | good | great | cool | perfect |
        lovely | wonderful | excellent | nice | awesome | very well | very good | all good | that is good
        | that is fine | that is alright | that is all right | fair enough | that is great |
        that is perfect | yay | that is cool | sweet | true | correct | understood | fantastic | brilliant
        | super | splendid | alrighty | all righty""",
    Part.SO_SO: """it is okay | it is ok | it is fine | it is alright | it is all right | it is good |
        that is okay | that is ok | it is all good | it is perfect | it is great""",
    Part.NO_WORD: """no | nope | nah | nay | naw | noo | nooo | nuh uh | uh uh | unh unh | mm mm | nuhuh |
        not at all | of course not | certainly not | not really | not in the least | not in the slightest
        | nein | nosir | nopes | not particularly | not a bit | not one bit | not in any way | nae""",
    Part.NO: """negatory | kindly refrain | hell no | heck no | no way | no way jose | no chance |
        not a chance | fat chance | no dice | no deal | no can do | no go | no thanks | no thank you |
        thanks but no thanks | thank you but no thank you | thanks but no | thanks no | not likely |
        unlikely | not on your life | not on your nelly | never | never ever | never mind | nevermind |
        never in a million years | not in a million years | not in a hundred years | over my dead body |
        when hell freezes over | when pigs fly | i will pass | i am going to pass | i will take a pass |
        hard pass | hard no | pass | pass on that | skip it | skip that | forget it | forget about it |
        forget that | drop it | drop that | do not bother | do not worry about it |
        do not even think about it | do not you dare | stop it | stop that | leave it | leave it be |
        leave it alone | leave it as it is | leave it as is | leave it on | leave it like that |
        leave it there | leave that | leave things as they are | keep it | keep that | keep mine |
        keep things as they are | keep it as it is | keep it as is | keep it like that | keep it going |
        count me out | i am out | not interested | nothing | nothing else | nothing more | nothing thanks
        | nothing thank you | nothing at all | nothing like that | nothing of the sort |
        nothing of the kind | none | none of that | neither | neither one | neither of them | hardly |
        barely | by no means | in no way | under no circumstances | at no time | out of the question |
        no more | not anymore | not any more | not any longer | not this time | not that i know of | not to
        my knowledge | not that i am aware of | not that i recall | not that i remember | not as far as i
        know | not as far as i can tell | not today | not tonight |
        not now | not right now | not at the moment | not for now | not at this time | some other time |
        another time | negative | that is a negative | that is a no | a no | nothing doing | no need |
        no need to | no need for that | there is no need | not necessary | unnecessary | not needed |
        not required | i refuse | i decline | i disagree | disagree | i object | i do mind | i mind |
        i would mind | i am against it | i am against that | i am opposed | i hate to | thumbs down |
        i would hate to | i would hate that | i doubt it | doubtful | why would i | why should i |
        why on earth | who would | as if | would not dream of it | better not | i better not | let us not
        | rather not | prefer not to | prefer not | prefer you did not | would rather you did not |
        wish you would not | wish you did not | i think not | i guess not | i suppose not | i hope not |
        i am afraid not | i fear not | guess not | hope not | think not | suppose not | afraid not |
        probably not | why would i want that | ixnay | why would i want to | why would i do that |
        why should i do that | why would i want to do that | absolutely positively not | thank you but no
        | thank you no | i have changed my mind | cut it out | hands off | hold off | hold off on that |
        bad idea | a bad idea | a terrible idea | decided not to | decided not | decided against it |
        decided against that | decided to keep it | decline | doubt that | staying | want to stay |
        do not care for that | do not care for it | no interest | no desire | no intention | no wish |
        no reason to | see no reason to | see no need | under no condition | let it be | stop right there
        | regret to | no use | no sense | would sooner not | far from it | anything but that | anything but
        | never been | first time | my first time | it is my first time""",
    Part.THAT_IS_ALL: """that is it | that is all | that is everything | that will be all |
        that will be it | that would be all | that would be it | that is enough | that will do |
        that will do it | that would do it | that does it | that is plenty | that is about it |
        that is about all | that is all for now | that is all for today | that is it for now |
        that is it for today | that is the lot | all done | that all | that is all i need |
        that is all i needed | that is all i wanted | that is all i want | nothing apart from that |
        that was it | that was all | that was everything | that covers it | that should do it |
        that should be all | that should be it | that is it thanks | it is all | just that | only that |
        just this | that is me | that is me done | that is me sorted | nothing comes to mind | not that i
        can think of | nothing i can think of | can not think of anything | can not think of anything else |
        can not think of anything more | nothing springs to mind | that is everything i need | that is
        everything i wanted""",
    Part.I_AM_GOOD: """it is all good | we are all good | i am good to go | we are good to go | i am good |
        i am fine | i am done | i am okay
        | i am ok | i am set | i am all set | all set | i am alright | i am all right | i am all good |
        i am good thanks | we are good | we are done | we are fine | we are all set | i am finished |
        i am through | i have got everything | i have everything | i have everything i need |
        i got everything""",
    Part.WRONG: """that is wrong | it is wrong | wrong | incorrect | that is incorrect | that is not right
        | that is not correct | that is not it | that is not what i said | that is not what i want |
        not right | not correct | it is not right | it is not correct | that is not what i wanted |
        not what i said | that is not what i ordered | that is not what i asked for |
        that is not what i meant | not what i meant | not what i want | not what i wanted |
        not what i ordered | not what i asked for | you got it wrong | you got that wrong |
        you have got it wrong | you have got that wrong | you have it wrong | you misheard |
        you misheard me | you misunderstood | you misunderstood me | you heard wrong | you heard me wrong
        | i did not say that | i never said that | i did not order that | i did not ask for that | false |
        not true | that is not true | there is a mistake | that is a mistake | there is an error |
        that is an error | that can not be right | wrong one | the wrong one | that is the wrong one |
        not that | not that one | that is not mine | not quite | not quite right | not exactly |
        that is not quite right | try again | do not think that is right | do not think that is correct | do
        not think so that is wrong""",
    Part.CHANGED: "i have changed my mind | i changed my mind | changed my mind | let me change that",
    Part.NOT_DONE: """that is not all | that is not everything | i am not done | i am not finished |
        we are not done | one more thing | one other thing | another thing | one last thing | something else
        | not done | not finished | not done yet | i am not done yet | that is not all yet
        | i am not through | not everything | not all""",
    Part.FAREWELL: """bye | goodbye | bye bye | good bye | good night | take care | see you |
        see you later | see you soon | have a nice day | have a good day | have a great day |
        have a nice evening | have a good one | have a good evening | have a good night |
        have a good weekend | have a nice weekend | i have to go | i have got to go | i got to go |
        i need to go | i must go | got to go | got to run | i have to run | talk to you later |
        speak to you later | talk to you soon | so long | farewell | that is all bye | ciao | bye now |
        bye for now | you too | same to you | you have a nice day | you have a good day""",
    Part.NOT_YET: "not yet | not just yet | not quite yet | not so fast | not for a while",
    Part.NOT: "not | never | without | no longer",
    Part.GOOD: """do | did | does | done | am | is | are | was | were | will | would | can | could |
        should | may | shall | must | have | has | had | want | wants | wanted | like | love | loved |
        need | accept | approve | agree | confirm | consent | permit | allow | authorize | ready | willing
        | keen | happy | glad | interested | pleased | certain | possible | helpful | useful | work |
        works | best | better | necessary | needed | comfortable | a fan | in favor | in favour |
        feel like it | feel like that | happening""",
    Part.UNSURE: """i am here | i am still here | i am listening | i am happy with it | still want | still
        need | still like | still love |
        i am happy with what i have | happy with it as it is | maybe | perhaps | possibly | probably |
        i guess | i suppose | i guess so | i suppose so | guess so | suppose so | might | could be |
        may be | may or may not | sort of | kind of | kinda | sorta | it depends | depends | that depends
        | not sure | not so sure | not too sure | not certain | i am not sure | unsure | not entirely sure
        | not completely sure | not really sure | not quite sure | not very sure | i do not know |
        do not know | no idea | i have no idea | no clue | not a clue | have not decided | can not decide
        | can not say | could not say | could not tell you | can not tell | undecided | torn | i wonder |
        not sure yet | hard to say | difficult to say | who knows | god knows | beats me | let me think |
        let me see | let me check | let me think about it | i will think about it | need to think |
        have to think | thinking | think about it | sleep on it | whatever | whatever you think |
        whatever you like | up to you | it is up to you | you decide | you choose | either | either way |
        either one | both | neither here nor there | does not matter | do not care | i do not care |
        could not care less | makes no difference | no difference | if you must | if you like |
        if you want | if you want to | if you insist | if you say so | suit yourself | yes and no |
        yes or no | yes no maybe | half and half | so so | fifty fifty | more or less | no comment |
        no preference | no matter | no hurry | no rush | not bad | not necessarily | not always | not only
        | not impossible | no kidding | not my problem | maybe not | perhaps not | maybe later | later |
        some day | another day | i was going to say | can i think about it | ask me later | ask me again |
        call me later | have one | already have | have some | have got one | got one | already got |
        already did | already done | could do | yeah right | or not | who cares | i can not remember |
        do not remember | can not recall | not that i know |
        i should not say""",
    Part.CONDITION: """if | unless | as long as | only if | provided | providing | depending | until |
        otherwise | except | only when | in case | assuming | whether | before | after""",
    Part.HEARSAY: """he | she | they | you said | you say | did you say | my wife | my husband | my friend
        | my boss | my mother | my mom | my dad | my son | my daughter | my partner | my doctor |
        somebody said | someone said | people say | who said | says | the word | used to say |
        i did not say yes | said | told | i did not say no | i never said yes | i never said no |
        i am not saying no | i am not saying yes""",
    Part.QUESTION: """i have a question | have a question | a question | one question | quick question |
        one more question | i wonder if | i would like to know | i want to know | i need to know |
        tell me first | tell me more | tell me | explain | explain that | first tell me | come again |
        pardon | pardon me | excuse me | say again | say that again | repeat that | repeat the question |
        i did not hear | i did not catch | i do not understand | did not understand | i did not get that |
        what | why | how | when | where | who | which | whose | what is | how come | huh | eh""",
    Part.BUT: "but | however | although | though | yet | only that | still though | except that",
    Part.RESET: """wait | no wait | wait a minute | wait a second | wait a moment | hold on | hang on |
        hold on a second | scratch that | strike that | on second thought | on second thoughts |
        thinking about it | come to think of it | let me rephrase | i take that back | take that back |
        i misspoke | my mistake | my bad | oops | whoops | hold it | just a moment | just a second |
        one second | one moment | just a minute | one sec | hang about | cancel that thought""",
    Part.TURN: """actually | i mean | i meant | sorry | or rather | make that | correction | in fact |
        well actually | no actually | no sorry | i said | i told you | i already said | i already told you
        | as i said | like i said""",
    Part.LINK: "because | cause | since | so | and | then | plus | cuz | therefore | anyway | and then",
    Part.FILL: """you have been very helpful | you have been helpful | you have been a great help |
        you were very helpful | you were a great help | thanks for your help | thank you for your help |
        for your help | for your time | for all your help | thanks for everything |
        thank you for everything | thanks for calling | if it is all the same to you |
        with all due respect | my final answer is | final answer | still a | it is still | got to say |
        kindly | whatsoever | i | you | we | us | me | my | mine | your | yours | it | its | this | that |
        these | the | a | an | to | of | for | be | been | being | at | in | on | with | there | here |
        too | also | very | really | just | now | some | any | anything | something | else | one | ones |
        today | tonight | right now | right away | straight away | immediately | soon | asap |
        as soon as possible | thanks | thank you | thank you so much | thanks so much | thanks a lot |
        thank you very much | thanks very much | many thanks | much appreciated | appreciate it |
        i appreciate it | you are kind | that is kind | that is very kind | kind of you | cheers | sir |
        ma'am | madam | miss | mister | man | dude | mate | buddy | pal | honey | dear | love you |
        sweetie | um | uh | er | erm | uhm | umm | ah | ahh | oh | ooh | hmm | hm | mm | mmm | well |
        like you know | you know | you see | look | listen | see | i see | hey | hi | hello | gosh | gee |
        god | oh my god | my god | goodness | heavens | gee whiz | man oh man | jeez | honestly | frankly
        | to be honest | to be fair | to tell the truth | to tell you the truth | in all honesty |
        quite frankly | truth be told | truly | simply | quite | rather | pretty | entirely | completely |
        fully | still | already | even | again | once more | ever | more | for me | for now | for today |
        at the moment | at present | at this time | at this point | at this stage | myself | personally |
        from me | from us | as far as i am concerned | if you do not mind | if you would not mind |
        if that is okay | if that is ok | if that is all right | if that is alright | if i may |
        if possible | if you please | if it is not too much trouble | if you could please |
        if that is fine | if it is okay | if you would please | if you will | i think | i believe | i feel
        | i would say | i have to say | i must say | i will say | i am going to say | i am gonna say |
        let us say | i am saying | i say | say | my answer is | the answer is | the answer | answer |
        it is a | that is a | that would be a | that will be a | it would be a | it will be a |
        put me down for a | i am afraid | unfortunately | sadly | luckily | hopefully | i mean it |
        please and thank you | great thanks | i promise | trust me | believe me | by the way | you guys |
        guys | folks | there you go | come on | friend | nice of you | such | much | a lot | so much |
        a bit | going to | that one | this one | the whole thing | all | all of it | all of them |
        all that | all this | them | those | by | from | or | positively | most | likely | strongly |
        surely | clearly | apparently | evidently | just about""",
}

NOUNS_OF_TROUBLE = frozenset(
    "problem problems objection objections issue issues complaint complaints doubt doubts worry worries"
    " trouble concern concerns hesitation qualms bother reservations".split()
)
"""To have none of them is to agree: "I don't have a problem with that"."""


def _table() -> Mapping[str, list[tuple[tuple[str, ...], Part]]]:
    """For each first word its phrases, the longest first; where two are the same, the earlier part wins."""
    found: dict[tuple[str, ...], Part] = {}
    for part, text in _PHRASES.items():
        for phrase in text.split("|"):
            found.setdefault(tuple(expanded(" ".join(phrase.split())).split()), part)
    for noun in NOUNS_OF_TROUBLE:  # "no qualms", "no objections here"
        found.setdefault(("no", noun), Part.YES)
        found.setdefault(("no", noun, "here"), Part.YES)
    table: dict[str, list[tuple[tuple[str, ...], Part]]] = {}
    for words, part in found.items():
        table.setdefault(words[0], []).append((words, part))
    for rows in table.values():
        rows.sort(key=lambda row: -len(row[0]))
    return table


PHRASES = _table()
"""By first word: (words, part), the longest phrase first."""

QUESTION_WORDS = frozenset("what why how when where who whose which whom".split())
ASKING_VERBS = frozenset(
    "do does did is are was were will would can could should may shall has have am".split()
)
SUBJECTS = frozenset("i you we it that this there he she they the my your anyone anybody someone".split())
"""A verb before one of these, at the beginning of a clause, asks: "is it", "can you"."""

MISHEARD_YES = frozenset({"yas", "yes'm", "yess", "yeh", "yeas", "jes", "guess", "yesh", "ja", "yet"})
MISHEARD_NO = frozenset({"know", "nop", "note", "noap", "noo", "knope", "nopes", "hope", "nome", "non"})
"""A word alone after a yes/no question, as recognisers write it down when they miss a sound."""
