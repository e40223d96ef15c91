"""What the invented group chats are about: things, and the quarrels and questions that can arise over any of them.

{t} a thing, {a} {b} two of the people, {m} a sum, {w} a weekday, {n} a number.  `qa`: questions that one member asks and
others answer.
"""

THINGS = """boiler,piano,boat,ladder,key,tent,oven,fence,roof,car,cake,letter,painting,clock,bicycle,sofa,garden shed,wardrobe,lamp,map,suitcase,
ring,dog,hen house,coffee machine,printer,projector,stage,banner,trophy,raffle,garage,cellar,hedge,well,apple tree,stove,kettle,washing line,
bench,swing,gate,lift,doorbell,heater,fridge,generator,trailer,van,scooter,kayak,net,rope,toolbox,drill,mower,barn,tractor,goat,parrot,cat,
photograph,diary,recipe book,violin,drum,accordion,microphone,loudspeaker,costume,wedding dress,coat,umbrella,hat,tablecloth,jam,soup,wine,cheese,
bread,ticket,contract,bill,invoice,receipt,passport,calendar,noticeboard,hall,kitchen,balcony,window,wall,parking space,footpath,bridge,statue,bell,
camera,film,radio,aerial,telescope,chessboard,jukebox,snooker table,sewing machine,loom,kiln,anvil,beehive,vegetable patch,pond,fountain,tree house""".replace(
    "\n", ""
).split(",")
HELD_THINGS = "trampoline,harmonium,canoe,turnstile,chandelier,wheelbarrow,gramophone,hammock".split(
    ","
)  # for the evaluation alone
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
PLACES = """a village hall with one heater;the kitchen of a shared flat;a waiting room with no clock;the back of a van;a school canteen;a garden after rain;
the landing of a block of flats;a campsite by a lake;a workshop full of dust;the last row of a bus;a bakery before dawn;a station with no trains;a church porch;
the deck of a small ferry;a laundry room;a half-empty office;a harbour wall;a hospital corridor;a farmyard;a car park at night;the steps of a town hall;
a mountain hut;a rehearsal room;a café at closing time;a market stall;an attic;a boathouse;the queue at a post office;a greenhouse;a living room full of boxes;
a cellar bar;a bus shelter in a storm;a sports hall;a barn;a rooftop;a lighthouse;a library after hours;a museum shop;a petrol station;a fire station""".replace(
    "\n", ""
).split(";")
MOODS = "tense,friendly,tired,sour,excited,strangely calm,nervous,sleepy,cheerful,frosty,hopeful,sad,mischievous,awkward,solemn,heated".split(
    ","
)
RELATIONS = """neighbours;cousins;old friends;colleagues;members of one choir;flatmates;members of a sailing club;brothers and sisters;volunteers;partners in a small firm;
people who met an hour ago;a family;members of a theatre group;parents from one school;people from the same street;a walking group;team-mates;members of a reading circle""".replace(
    "\n", ""
).split(";")
TIES = [
    "{a} has known {b} since school.",
    "{a} owes {b} a favour.",
    "{a} and {b} have not spoken for a year.",
    "{a} once lent {b} money.",
    "{a} is {b}'s landlord.",
    "{b} has never trusted {a}.",
    "{a} and {b} used to share a flat.",
    "{a} taught {b} everything.",
    "{b} is new here.",
    "{a} and {b} work side by side.",
    "{a} was at {b}'s wedding.",
    "{b} looks up to {a}.",
    "{a} and {b} are rivals.",
    "{a} would do anything for {b}.",
    "{a} knows a secret of {b}'s.",
    "{b} lives next door to {a}.",
    "{a} and {b} were once a couple.",
    "{a} is the oldest, {b} the loudest.",
    "{b} drives {a} to work.",
    "{a} is godparent to {b}'s child.",
]

MATTERS = [
    {
        "topic": ["who pays for the {t}", "the bill for the {t}", "paying for the {t}"],
        "situation": [
            "The bill for the {t} has come, {m}, and nobody wants to pay it.",
            "{a} has paid {m} for the {t} and wants the others to share.",
            "The {t} costs {m} and the money is due on {w}.",
        ],
        "starter": [
            "Here is the bill for the {t}: {m}, and I am not paying it alone.",
            "So who has {m} for the {t}?",
            "I counted the tin twice and there is no {m} in it for the {t}.",
        ],
        "say": [
            "I never used the {t}, so I'm not paying.",
            "Split it evenly and be done.",
            "{m} is far too much for a {t}.",
            "I can pay half now and half after {w}.",
            "Whoever ordered the {t} should pay.",
            "We could ask them to wait a week.",
            "I paid the last one, remember.",
            "Send it back and we owe nothing.",
        ],
        "qa": [
            (
                "Who ordered the {t} in the first place?",
                ["Not me, I was against it.", "I did, and you all nodded.", "We all did, at the last meeting."],
            ),
            (
                "Can you pay your part by {w}?",
                ["By {w}, yes, if I get my wages.", "No, not before the end of the month.", "I have it with me now."],
            ),
            ("How much is in the tin?", ["Less than half of it.", "Nothing but buttons.", "Enough, if we skip the party."]),
        ],
    },
    {
        "topic": ["whether to sell the {t}", "selling the {t}", "an offer for the {t}"],
        "situation": [
            "Somebody has offered {m} for the {t}, and they must answer by {w}.",
            "{a} wants to sell the {t}, {b} does not.",
            "The {t} belongs to all of them, and a buyer comes on {w} with {m}.",
        ],
        "starter": [
            "{m} for the {t}, cash in hand, and I have to call back tonight.",
            "I'll say it straight, I want to sell the {t}.",
            "A man rang about the {t} and he sounds serious.",
        ],
        "say": [
            "Not for {m}, it's worth twice that.",
            "Sell the {t} before it falls apart.",
            "I'd miss the {t} every day.",
            "It was a gift, you don't sell a gift.",
            "With {m} we could do so much.",
            "Let's ask for more and see.",
            "Nobody has touched the {t} in years.",
            "Put it to the vote.",
        ],
        "qa": [
            ("Would you take {m} for the {t}?", ["I would, today.", "Never, not for double.", "Only if we all agree."]),
            (
                "What would we do with the money?",
                ["Mend the roof, for a start.", "Share it and go home.", "Keep it for a bad year."],
            ),
            (
                "Who is the buyer anyway?",
                ["Some dealer from town.", "He didn't give a name.", "A friend of mine, if you must know."],
            ),
        ],
    },
    {
        "topic": ["who broke the {t}", "the broken {t}", "how the {t} got broken"],
        "situation": [
            "The {t} is broken, and nobody admits to it.",
            "On {w} morning the {t} was found in pieces. {a} was the last to leave.",
            "{a} says that {b} broke the {t}, and {b} denies it.",
        ],
        "starter": [
            "Somebody broke the {t}, and that somebody is sitting here.",
            "I won't be angry, I just want to know about the {t}.",
            "The {t} didn't fall over by itself.",
        ],
        "say": [
            "I didn't touch the {t}.",
            "It was cracked before, I saw it.",
            "Does it matter who, it's broken.",
            "We can glue it.",
            "I heard a crash on {w} night.",
            "Maybe it was just old.",
            "If it was me, I'd say so.",
            "The window was open, it was the wind.",
        ],
        "qa": [
            ("Who used the {t} last?", ["I did, and it was fine.", "The children had it on {w}.", "Nobody, since last week."]),
            (
                "Where were you on {w} evening?",
                ["At home, asleep.", "Right here, with the lights on.", "That's none of your business."],
            ),
            ("Can it be mended?", ["With glue and time, yes.", "Not by us.", "I know somebody who could."]),
        ],
    },
    {
        "topic": ["where the {t} is", "the missing {t}", "looking for the {t}"],
        "situation": [
            "The {t} has been gone since {w}.",
            "They have searched for the {t} for {n} hours. {a} had it last.",
            "The {t} has vanished, and without it they can't start.",
        ],
        "starter": [
            "When did anyone last see the {t}?",
            "The {t} is gone, and I locked up myself.",
            "Turn out your bags, please, I mean the {t}.",
        ],
        "say": [
            "I saw the {t} on {w}, by the door.",
            "It can't have walked off.",
            "Have you looked under the stairs?",
            "Somebody took it home by mistake.",
            "Let's look once more, all together.",
            "I never had the {t}.",
            "Call the police if you like.",
            "It'll turn up when we stop looking.",
        ],
        "qa": [
            ("Did you look in the cellar?", ["Twice, with a torch.", "No, it's locked.", "There's only junk there."]),
            ("Who has a spare key?", ["Only me and the caretaker.", "Half the street, I think.", "Nobody since {w}."]),
            ("Could we do without the {t}?", ["For a day, perhaps.", "Not at all.", "We did before."]),
        ],
    },
    {
        "topic": ["what to do with the {t}", "the old {t}", "too big a {t}"],
        "situation": [
            "They have inherited a {t} and have no room for it.",
            "The {t} stands in everybody's way and must be gone by {w}.",
            "{a} has brought a {t} that nobody asked for.",
        ],
        "starter": [
            "By {w} the {t} has to be out of here, so I'm all ears.",
            "I know it's big, but look at the {t} for a moment.",
            "Does anybody here want a {t}?",
        ],
        "say": [
            "Give the {t} to the school.",
            "Burn it and we have a warm night.",
            "My garage is full already.",
            "We could cut it in two.",
            "Keep it, you'll be sorry otherwise.",
            "Put a note on it and leave it outside.",
            "I could take the {t} for a while.",
            "It only needs a coat of paint.",
        ],
        "qa": [
            ("Have you got room for a {t}?", ["In my flat? Never.", "If I move the bed, maybe.", "For a week, no longer."]),
            ("Who would carry it?", ["Four of us and a rope.", "Not with my back.", "I know a man with a van."]),
            ("Why did we keep it so long?", ["Out of habit.", "Because nobody dared.", "It was never in the way before."]),
        ],
    },
    {
        "topic": ["who gets the {t}", "one {t} for all", "whose {t} it is"],
        "situation": [
            "There is one {t}, and both {a} and {b} say that it is theirs.",
            "They all need the {t} on {w}, and there is only one.",
            "An aunt has left them a {t} without saying to whom.",
        ],
        "starter": [
            "Before anyone takes the {t} home, let's talk.",
            "I've put my name on the {t}, just so you know.",
            "One {t}, and look at all these hands.",
        ],
        "say": [
            "I had it first.",
            "Take turns, a week each.",
            "My name is on the {t}.",
            "Draw lots, that's fair.",
            "I need the {t} more than any of you.",
            "Then nobody gets it.",
            "You have two at home.",
            "She promised the {t} to me.",
        ],
        "qa": [
            ("What do you need the {t} for?", ["For work, not for fun.", "I just like it.", "That's my affair."]),
            (
                "Is there a paper that says so?",
                ["There was, in the drawer.", "No, only her word.", "Yes, I'll bring it on {w}."],
            ),
            ("Would you share it?", ["With you, yes.", "I've shared enough.", "Every second week."]),
        ],
    },
    {
        "topic": ["getting the {t} ready for {w}", "the {t} and the deadline", "finishing the {t} in time"],
        "situation": [
            "The {t} must be ready by {w}, and half the work is not done.",
            "{a} promised that the {t} would be ready on {w}, and it isn't.",
            "They have {n} hours left to get the {t} done.",
        ],
        "starter": [
            "We have until {w} and the {t} looks like this.",
            "Who was supposed to finish the {t}?",
            "Sleeves up, the {t} won't finish itself.",
        ],
        "say": [
            "I can stay till midnight.",
            "We'll never be done by {w}.",
            "Leave the paint off, nobody will see.",
            "I did my part on {w}.",
            "Ask for two more days.",
            "One holds, one hammers.",
            "It's good enough as it is.",
            "We need more hands for the {t}.",
        ],
        "qa": [
            ("Can you come back tomorrow?", ["From seven on, yes.", "I'm away until {w}.", "If someone minds the children."]),
            ("What is still missing?", ["The whole left side.", "Screws and patience.", "Almost nothing."]),
            ("Who told them {w}?", ["I did, and I was wrong.", "It was in the letter.", "They chose it, not us."]),
        ],
    },
    {
        "topic": ["a new {t} or the old one", "buying a {t}", "which {t} to buy"],
        "situation": [
            "The old {t} is at its end, and a new one costs {m}.",
            "{a} has seen a {t} for {m} and wants to buy it today.",
            "They have {m} and can't agree on a {t}.",
        ],
        "starter": [
            "I found a {t} for {m}, but the shop shuts at six.",
            "The old {t} has had its day, hasn't it?",
            "Show of hands: new {t} or not?",
        ],
        "say": [
            "The old {t} still works.",
            "Buy a used one for half of {m}.",
            "The red one, no question.",
            "Cheap ones break in a year.",
            "I could borrow a {t} for now.",
            "Wait for the sales.",
            "{m} is all we have.",
            "We only need a {t} twice a year.",
        ],
        "qa": [
            (
                "What's wrong with the old one?",
                ["It leaks and it smells.", "Nothing a screw can't fix.", "You've seen it yourself."],
            ),
            ("Have you tried it out?", ["In the shop, for a minute.", "No, but it looks good.", "My sister has the same."]),
            ("Is {m} the last price?", ["He won't go lower.", "We can try.", "It was more on {w}."]),
        ],
    },
    {
        "topic": ["the truth about the {t}", "a secret and the {t}", "what {a} did with the {t}"],
        "situation": [
            "{a} has been keeping something from the others: the {t} was never theirs.",
            "A letter on {w} said that the {t} is stolen.",
            "{b} has found out what {a} did with the {t}.",
        ],
        "starter": [
            "There's something about the {t} that I should have told you.",
            "I got a letter, and it's about the {t}.",
            "Ask me about the {t}, I'm done with hiding.",
        ],
        "say": [
            "Why tell us only now?",
            "I knew it all along.",
            "Give the {t} back and say sorry.",
            "I don't want to hear more.",
            "We'd have understood, you know.",
            "That changes everything.",
            "Nobody outside must know.",
            "So the {t} was a lie from the start.",
        ],
        "qa": [
            ("How long have you known?", ["Since {w}.", "For {n} days.", "Longer than I should have."]),
            ("Who else knows about it?", ["Only those in this room.", "My wife, nobody else.", "The whole town by now."]),
            ("Are you sorry at least?", ["Every day.", "Not for a minute.", "For you, yes."]),
        ],
    },
    {
        "topic": ["how to move the {t}", "carrying the {t} upstairs", "the {t} and the narrow door"],
        "situation": [
            "The {t} is stuck in the doorway and nobody can get past.",
            "The {t} must go up {n} steps, and the lift is out of order.",
            "They have carried the {t} halfway and can't go on.",
        ],
        "starter": [
            "Nobody let go of the {t}, whatever happens.",
            "On three, and this time all of us lift the {t}.",
            "It went in, so the {t} must come out.",
        ],
        "say": [
            "Turn it on its side.",
            "Take the door off.",
            "My fingers are under the {t}.",
            "We should have measured.",
            "Call the neighbours.",
            "Put the {t} down, slowly.",
            "A bit to the left.",
            "I said so at the bottom of the stairs.",
        ],
        "qa": [
            ("Can you hold it a bit longer?", ["A minute, no more.", "Yes, but hurry.", "Ask my arms."]),
            ("Who measured the door?", ["I did, with a shoe.", "Nobody, obviously.", "You were going to."]),
            ("Is there a back way in?", ["Through the window, maybe.", "Only over the wall.", "Yes, but it's locked."]),
        ],
    },
    {
        "topic": ["the prize for the best {t}", "the {t} contest", "judging the {t}"],
        "situation": [
            "On {w} a prize of {m} goes to the best {t}, and {a} is one of the judges.",
            "Their {t} came last in the contest.",
            "They have won {m} with their {t} and must decide what becomes of it.",
        ],
        "starter": [
            "Before you cheat, remember that I judge the {t}.",
            "Last place, with that {t}, I can't believe it.",
            "{m}, people, for our {t}!",
        ],
        "say": [
            "Ours was the best {t} by far.",
            "The judges were blind.",
            "It's only a game.",
            "Next year we win.",
            "I worked {n} nights on the {t}.",
            "Spend {m} on a good meal.",
            "I never wanted to enter.",
            "They copied us.",
        ],
        "qa": [
            ("What did the judges say?", ["That it was too loud.", "Not a word.", "That we should try again."]),
            ("Would you enter again?", ["On the spot.", "Not with you.", "If somebody else pays."]),
            ("Who made the first {t}?", ["My grandmother.", "I did, out of boredom.", "Nobody remembers."]),
        ],
    },
    {
        "topic": ["who looks after the {t}", "a list of duties for the {t}", "the {t} while {a} is away"],
        "situation": [
            "{a} goes away on {w} for {n} days, and somebody must look after the {t}.",
            "Nobody has looked after the {t} for {n} weeks, and it shows.",
            "They are drawing up a list of who minds the {t} and when.",
        ],
        "starter": [
            "I leave on {w}, and somebody has to mind the {t}.",
            "Look at the state of the {t}, honestly.",
            "I made a list for the {t} and your names are on it.",
        ],
        "say": [
            "I did it all last month.",
            "I can do {w}, not more.",
            "The {t} can look after itself.",
            "I'm no good with such things.",
            "Pay somebody to do it.",
            "Leave me the key and go.",
            "Why is it always me?",
            "Write down what to do.",
        ],
        "qa": [
            ("Can you take {w}?", ["{w} is fine.", "Any day but {w}.", "If you take the next."]),
            ("How often must it be done?", ["Twice a day.", "Once a week will do.", "Whenever it makes a noise."]),
            ("Who did it last time?", ["I did, alone.", "Nobody, that's the trouble.", "We took turns."]),
        ],
    },
    {
        "topic": ["the noise of the {t}", "complaints about the {t}", "the {t} at night"],
        "situation": [
            "The {t} makes a noise at night, and {a} has not slept for {n} days.",
            "There have been {n} complaints about the {t}. On {w} somebody from the council comes.",
            "{b} wants the {t} gone, {a} can't live without it.",
        ],
        "starter": [
            "It's three in the morning when your {t} starts.",
            "I have a letter here about the {t}, signed by {n} people.",
            "Listen, there it is again, the {t}.",
        ],
        "say": [
            "I don't hear a thing.",
            "Put a blanket over the {t}.",
            "I have a right to sleep.",
            "It was here before you.",
            "Move it to the other side.",
            "Buy earplugs.",
            "Only after ten it must be quiet.",
            "Who complained? I want names.",
        ],
        "qa": [
            (
                "Could you switch it off at ten?",
                ["At eleven, for your sake.", "Then it won't start again.", "All right, from {w} on."],
            ),
            ("Who wrote that letter?", ["I did, and I'd do it again.", "Somebody without a name.", "All of the ground floor."]),
            ("What does it sound like?", ["Like a sick cow.", "A hum that won't stop.", "Knocking, three times."]),
        ],
    },
    {
        "topic": ["a trip with the {t}", "the {t} on the road", "taking the {t} along"],
        "situation": [
            "They set off on {w}, and {a} wants to take the {t} along.",
            "They are {n} kilometres from home and the {t} is still on the platform.",
            "The trip costs {m} each, the {t} not included.",
        ],
        "starter": [
            "There's room for us or for the {t}, not for both.",
            "Everything's packed but the {t}.",
            "Stop the car, we forgot the {t}.",
        ],
        "say": [
            "Leave the {t} at home.",
            "I'm not going without the {t}.",
            "We'll miss the train.",
            "Tie it to the roof.",
            "{n} kilometres back, for that?",
            "Let's vote and go.",
            "I get sick in the back.",
            "Ring them and ask.",
        ],
        "qa": [
            ("What time do we leave on {w}?", ["At six, not a minute later.", "When everyone is awake.", "After breakfast."]),
            ("Who has the map?", ["It's in the other bag.", "I know the way.", "You had it."]),
            ("Is there room in the back?", ["For one small person.", "If we leave the tent.", "Not a hand's width."]),
        ],
    },
]

# the shipped experiences: what each is about, in one word; and what can be said of anything
SEED_THINGS = "wall,vet,feast,race,weld,letter,kitchen,engine,choirmaster,compartment,lift,summer,ballot,restaurant,boat,trombone case".split(
    ","
)
ANYTHING = {
    "say": [
        "I've thought about the {t} all day.",
        "The {t} is only half of it.",
        "Let's stay with the {t}.",
        "We'd all be better off without this quarrel.",
        "I'd like to hear the others first.",
        "Nobody told me that about the {t}.",
        "There must be a way.",
        "I was there, I know how it was.",
        "I never wanted any of this.",
        "We talk and talk, and the {t} stays as it is.",
    ],
    "qa": [
        ("What do we know about the {t}, really?", ["Less than we say.", "Only what I've told you.", "Enough to be careful."]),
        ("Why didn't you say so before?", ["Nobody asked me.", "I wasn't sure.", "Would you have listened?"]),
        ("How long can we wait?", ["An hour, no more.", "As long as it takes.", "Not another minute."]),
    ],
}

ASIDES = [
    "That's how I see it.",
    "Think about it.",
    "I mean it.",
    "Or not.",
    "We'll see.",
    "It's that simple.",
    "I said so before.",
]
AGREE = [
    "I'd go along with that.",
    "That could work.",
    "You have a point there.",
    "Fine by me.",
    "I was about to say the same.",
    "That's the first good word today.",
]
OBJECT = [
    "I don't see it that way.",
    "That won't help.",
    "You forget something.",
    "Not with me.",
    "That's easy to say.",
    "I can't agree to that.",
    "You always say that.",
]
ANSWER_OPEN = [
    "Hard to say.",
    "I've wondered about that too.",
    "Ask me tomorrow.",
    "It depends.",
    "I'd rather not answer that.",
]
INTERRUPT = ["I have something to say.", "I have a question."]
PAUSE = [
    "I need a coffee.",
    "I need a minute.",
    "I need a moment to think about the {t}.",
    "I need a breath of air.",
    "I need a look at the {t} first.",
    "I need a glass of water.",
]
LEAVE_WHY = [
    "My bus won't wait.",
    "They need me {where}.",
    "I've heard enough about the {t}.",
    "It's late.",
    "The children are waiting.",
    "I promised to be home by now.",
    "You'll manage without me.",
]
LEAVE = ["I have to go now.", "I have to leave now."]
PROMISE = [
    "I'll see to the {t}, I promise.",
    "I will call them on {w}.",
    "I'll bring the papers tomorrow.",
    "I will talk to them.",
    "I'll do it, leave it to me.",
]
ASK_ALL = ["What do the others think?", "Does anyone have a better idea?", "So what now?", "Who's with me?"]
ASK_YOU = [
    "What do you say?",
    "What would you do?",
    "Do you see it differently?",
    "Are you with me?",
    "You've been quiet, what do you think?",
]
