"""Invented people for the group chats: names by nationality, traits, ways of talking, work, hobbies, memories.

A person is drawn anew for every sample, and what it says in a chat is drawn from what its prompt says of it
(`Person.lines`), so that the prompt has to be read.  The shipped individuals and personas lend their words too.
"""

import json
import re
from pathlib import Path

PROMPTS = Path(__file__).resolve().parents[3] / "prompts"

# nationality: women, men, places
NATIONS = {
    "British": (
        "Alice Beryl Carol Hazel Imogen Joyce Maud Nell",
        "Alan Clive Desmond Edwin Graham Nigel Ralph Stan",
        "Leeds,Hull,Devon,Norwich",
    ),
    "Irish": ("Aoife Brigid Ciara Maeve Niamh Orla", "Brendan Cormac Declan Eoin Fergal Padraig", "Cork,Galway,Sligo"),
    "French": ("Camille Elodie Margaux Nadine Odette Sylvie", "Antoine Bastien Gilles Luc Marcel Remi", "Lyon,Nantes,Lille"),
    "German": ("Anke Birgit Frieda Heike Renate Ute", "Bernd Dieter Jens Klaus Rainer Uwe", "Bremen,Leipzig,Kassel"),
    "Italian": ("Bianca Chiara Donatella Giulia Ornella Silvia", "Carlo Enzo Fabio Luca Renzo Sandro", "Bari,Turin,Genoa"),
    "Spanish": ("Amparo Carmen Dolores Lourdes Maite Rocio", "Alvaro Diego Inigo Javier Manolo Rafa", "Cadiz,Bilbao,Murcia"),
    "Portuguese": ("Beatriz Catarina Fatima Leonor Rita Teresa", "Duarte Joao Nuno Rui Tiago Vasco", "Porto,Faro,Braga"),
    "Dutch": ("Anouk Femke Hanneke Maaike Sanne Wil", "Bram Daan Joost Pieter Ruud Sjoerd", "Delft,Utrecht,Breda"),
    "Belgian": ("Griet Lies Mieke Noor Veerle Elise", "Bart Dries Koen Luuk Thibaut Wouter", "Ghent,Liege,Bruges"),
    "Swedish": ("Agneta Britta Ebba Karin Linnea Maja", "Anders Bjorn Göran Lars Nils Olof", "Malmo,Uppsala,Kiruna"),
    "Norwegian": ("Berit Ingrid Kari Randi Solveig Turid", "Arne Eivind Haakon Knut Leif Terje", "Bergen,Bodo,Tromso"),
    "Danish": ("Birthe Dorthe Kirsten Lone Mette Pia", "Asger Bent Jeppe Mads Palle Torben", "Aarhus,Odense,Esbjerg"),
    "Finnish": ("Aino Hilkka Kaisa Marjatta Päivi Tuula", "Antti Juhani Mikko Pekka Risto Veikko", "Oulu,Turku,Vaasa"),
    "Icelandic": ("Birna Gudrun Katla Ragna Steinunn", "Arnar Einar Gunnar Jokull Stefan", "Akureyri,Husavik"),
    "Polish": ("Agata Danuta Ewa Jolanta Magda Zofia", "Andrzej Bogdan Janusz Kacper Piotr Zbigniew", "Gdansk,Lodz,Lublin"),
    "Czech": ("Alena Dana Jitka Lenka Milena Radka", "Bohumil Karel Ludek Milan Radek Zdenek", "Brno,Plzen,Ostrava"),
    "Hungarian": ("Agnes Boglarka Edit Ildiko Katalin Zsuzsa", "Attila Bence Gabor Imre Laszlo Zoltan", "Szeged,Pecs,Miskolc"),
    "Romanian": ("Adriana Cosmina Doina Ileana Luminita", "Bogdan Costel Dragos Mircea Sorin", "Cluj,Iasi,Sibiu"),
    "Bulgarian": ("Desislava Ivanka Kalina Radost Tsveta", "Asen Boyan Dimitar Georgi Plamen", "Plovdiv,Varna,Ruse"),
    "Greek": (
        "Areti Despina Eleni Katerina Sofia Vasiliki",
        "Christos Kostas Nikos Petros Stavros Yannis",
        "Patras,Volos,Chania",
    ),
    "Turkish": ("Ayse Defne Elif Nermin Sevgi Zehra", "Cem Emre Hakan Kemal Murat Orhan", "Izmir,Bursa,Trabzon"),
    "Ukrainian": ("Halyna Kateryna Lesia Oksana Svitlana", "Andriy Bohdan Mykola Ostap Taras", "Lviv,Odesa,Poltava"),
    "Georgian": ("Eka Ketevan Mariam Nino Tamar", "Davit Giorgi Irakli Levan Zurab", "Tbilisi,Batumi"),
    "Egyptian": ("Amina Dalia Hoda Mona Nagwa", "Ashraf Gamal Hany Mahmoud Tarek", "Cairo,Luxor,Aswan"),
    "Moroccan": ("Aicha Hafsa Khadija Naima Salma", "Brahim Driss Hicham Mehdi Rachid", "Fez,Agadir,Tangier"),
    "Nigerian": ("Adaeze Bimpe Funmi Ngozi Yewande", "Chinedu Emeka Kunle Segun Tunde", "Lagos,Ibadan,Enugu"),
    "Ghanaian": ("Abena Akosua Efua Esi Yaa", "Kojo Kwame Kwesi Nana Yaw", "Accra,Kumasi,Tamale"),
    "Kenyan": ("Achieng Njeri Wambui Wanjiru Zawadi", "Barasa Kamau Mwangi Odhiambo Otieno", "Nairobi,Kisumu,Mombasa"),
    "South African": ("Ayanda Lindiwe Nomsa Thandi Zanele", "Bongani Dumisani Johan Sipho Thabo", "Durban,Cape Town,Kimberley"),
    "Indian": ("Anjali Deepa Kavita Lakshmi Meena Shanti", "Arjun Gopal Kiran Mohan Rajesh Suresh", "Pune,Kochi,Jaipur"),
    "Pakistani": ("Bushra Hina Rabia Saima Zainab", "Asif Bilal Imran Nadeem Waqar", "Lahore,Multan,Quetta"),
    "Chinese": ("Fang Hui Jia Lan Xiu Ying", "Bo Feng Jun Lei Ming Tao", "Chengdu,Harbin,Xiamen"),
    "Japanese": ("Akiko Emi Haruka Keiko Naoko Sachi", "Daichi Hiroshi Kenji Makoto Satoshi Takeshi", "Osaka,Sapporo,Nagano"),
    "Korean": ("Eunji Haneul Jiwoo Minseo Sora", "Dongwoo Hyun Jinho Minjun Sungmin", "Busan,Daegu,Incheon"),
    "Vietnamese": ("Huong Lien Linh Ngoc Thuy", "Duc Hieu Khoa Minh Quang", "Hanoi,Hue,Da Nang"),
    "Filipino": ("Analyn Corazon Ligaya Maricel Rosario", "Benjie Ernesto Jomar Ramil Rodel", "Cebu,Davao,Iloilo"),
    "Australian": ("Bronte Jacinta Kylie Sheila Tegan", "Angus Bruce Darcy Lachlan Mitch", "Perth,Hobart,Cairns"),
    "Canadian": ("Brooke Claire Lorna Tessa Yvette", "Blake Doug Etienne Gordon Wade", "Halifax,Regina,Gander"),
    "American": ("Brenda Darlene Loretta Peggy Tammy Wanda", "Chuck Dwayne Earl Hank Leroy Travis", "Tulsa,Omaha,Duluth"),
    "Mexican": ("Citlali Guadalupe Itzel Lupita Ximena", "Beto Chucho Ignacio Lalo Memo", "Puebla,Merida,Oaxaca"),
    "Brazilian": ("Edna Iracema Jussara Luana Thais", "Caetano Edson Gilson Nilton Wagner", "Recife,Belem,Santos"),
    "Argentine": ("Graciela Mabel Noemi Paloma Valeria", "Facundo Gaston Hernan Matias Santiago", "Rosario,Salta,Mendoza"),
    "Chilean": ("Camila Javiera Pilar Rayen Violeta", "Claudio Ivan Nelson Patricio Sergio", "Arica,Valdivia,Talca"),
    "Peruvian": ("Flor Killa Nelida Rosaura Yesica", "Abel Cesar Elmer Percy Wilber", "Cusco,Arequipa,Piura"),
}

# What a trait makes people say; {t} is the thing the talk is about.
TRAITS = {
    "stubborn": (
        "stubborn, obstinate, immovable, contrary, unbending, headstrong, set in her ways",
        [
            "I am not changing my mind about the {t}.",
            "No, the {t} is done my way or not at all.",
            "Say what you like, I won't give in.",
            "I said no yesterday and I say no today.",
            "You can ask ten times, my answer on the {t} stays.",
        ],
    ),
    "generous": (
        "generous, hospitable, helpful to excess, open-handed, kind, big-hearted",
        [
            "Take my share if it helps.",
            "I'd rather give the {t} away than fight.",
            "Let me pay for the {t}, really.",
            "There's room for everyone at my table, and we'll sort out the {t}.",
            "I can lend a hand with the {t}.",
        ],
    ),
    "thrifty": (
        "thrifty, frugal, careful with money, strict about money, greedy, tight-fisted, economical",
        [
            "And what does that cost us?",
            "I won't put a penny into the {t}.",
            "There's a cheaper way to deal with the {t}.",
            "Money doesn't grow on the {t}.",
            "I'd count the money first.",
        ],
    ),
    "impatient": (
        "impatient, restless, bad at waiting, hasty, quick-tempered, always in a hurry, driven",
        [
            "Can we decide about the {t} now?",
            "We've been on the {t} for an hour.",
            "Enough talk, let's get on with it.",
            "I'm not waiting another day for the {t}.",
            "Quick now, yes or no.",
        ],
    ),
    "calm": (
        "calm, patient, easy-going, relaxed, mild, serene, level-headed, good listener",
        [
            "There's no hurry with the {t}.",
            "Let's sit down and look at it slowly.",
            "Nobody has to shout about the {t}.",
            "It will look different in the morning.",
            "One thing after the other.",
        ],
    ),
    "worried": (
        "anxious, worried, cautious, nervous, fearful, sleepless, afraid of being alone",
        [
            "What if something happens to the {t}?",
            "I lay awake over the {t} all night.",
            "I'm afraid this ends badly.",
            "Are we sure it's safe?",
            "I have a bad feeling about the {t}.",
        ],
    ),
    "curious": (
        "curious, nosy, inquisitive, observant, attentive, fond of gossip, well read",
        [
            "What's really behind this business with the {t}?",
            "I'd love to know who saw the {t} last.",
            "And then what happened?",
            "There's something you aren't telling us about the {t}.",
            "I had a good look at the {t} this morning.",
        ],
    ),
    "blunt": (
        "blunt, frank, outspoken, direct, sharp, argumentative, tactless",
        [
            "That's nonsense.",
            "You're wrong about the {t}, plain and simple.",
            "Somebody has to say it: the {t} is your fault.",
            "I don't believe a word of it.",
            "That is a stupid idea.",
        ],
    ),
    "funny": (
        "funny, witty, cheeky, playful, mischievous, ironic, dry, humorous",
        [
            "The {t} has more sense than all of us together.",
            "If the {t} could talk, it would ask for a lawyer.",
            "I'll put it on my gravestone.",
            "Let's ask the {t} what it wants.",
            "My horoscope warned me about the {t}.",
        ],
    ),
    "suspicious": (
        "suspicious, sceptical, jealous, secretive, distrustful, evasive, superstitious",
        [
            "Somebody is lying about the {t}.",
            "I'd like to see that in writing.",
            "And who gains by it?",
            "Funny how nobody ever saw the {t}.",
            "I've heard such promises before.",
        ],
    ),
    "warm": (
        "warm, gentle, loyal, affectionate, motherly, tender, soft-hearted, sentimental, cheerful, optimistic",
        [
            "We'll find a way, we always have.",
            "I don't want us to part over the {t}.",
            "You look tired, sit down first.",
            "I'm fond of the {t}, that's all.",
            "Be kind to each other, please.",
        ],
    ),
    "proud": (
        "proud, vain, boastful, ambitious, dignified, commanding, domineering, competitive, theatrical",
        [
            "Nobody knows the {t} better than I do.",
            "I have my pride, you know.",
            "I would have had the {t} sorted in a day.",
            "I don't beg for the {t}.",
            "People still talk of what I did back then.",
        ],
    ),
    "orderly": (
        "orderly, pedantic, precise, punctual, diligent, conscientious, perfectionist, practical, hard-working, stubborn about rules",
        [
            "Let's make a list and go through it.",
            "First the facts about the {t}, then the feelings.",
            "There are rules for that.",
            "I wrote everything down, the {t} included.",
            "We need one plan and one person in charge.",
        ],
    ),
    "gloomy": (
        "gloomy, melancholy, dour, moody, tired, bitter, lonely, homesick, forgetful, absent-minded, lazy",
        [
            "It never ends well with such things.",
            "I'm too tired for the {t}.",
            "It was better before, the {t} included.",
            "Nothing will come of it.",
            "In the end we lose the {t} anyway.",
        ],
    ),
}
TRAIT_OF = {q: k for k, (names, _) in TRAITS.items() for q in names.split(", ")}
QUALITIES = list(TRAIT_OF)

# Ways of talking: how they are described, and what marks them.
TALKS = {
    "clipped": [
        "short sentences",
        "few words",
        "clipped, no small talk",
        "says a thing once",
        "flat statements",
        "short and dry",
        "one sentence at a time, no adjectives",
    ],
    "rambling": [
        "rambles from one thing to the next",
        "long sentences full of side remarks",
        "talks and talks",
        "never finishes a thought",
        "runs on and on, circles round a subject",
    ],
    "polite": [
        "very polite",
        "courteous and soft",
        "asks before every remark",
        "polite phrases in every sentence",
        "gentle, with many a please",
    ],
    "loud": [
        "loud",
        "shouts from habit",
        "booming voice, exclamations",
        "raises the voice at every turn",
        "commands rather than asks",
    ],
    "ironic": [
        "sarcastic",
        "dry irony",
        "one sarcastic remark, then the point",
        "mocking, with a straight face",
        "ironic compliments",
    ],
    "asking": [
        "questions instead of statements",
        "ends everything with a question",
        "always asks to be agreed with",
        "piles up questions",
        "seeks agreement",
    ],
    "exact": [
        "facts and figures",
        "numbers for everything",
        "exact, thinks aloud in lists",
        "counts while talking",
        "first, second, third",
    ],
    "slang": [
        "casual, mostly slang",
        "like a text message",
        "lower case, lots of slang",
        "drops the ends of words",
        "street talk, quick",
    ],
    "formal": [
        "formal, complete sentences",
        "stiff, like a letter",
        "speaks like a book",
        "formal, no contractions",
        "careful grammar, old-fashioned",
    ],
    "hesitant": ["hesitant, trails off", "mumbles", "long pauses", "unsure, corrects himself", "hesitates before each word"],
    "story": [
        "tells everything as a story",
        "always an anecdote",
        "proverbs and old stories",
        "begins every remark with a memory",
        "invents proverbs",
    ],
    "plain": ["plain and friendly", "calm and clear", "even voice", "simple words", "quiet and direct", "ordinary, unhurried"],
}
TALK_OF = {d: k for k, ds in TALKS.items() for d in ds}
TALK_KEYS = [
    ("clipped", "short|few words|clipped|one-word|says a thing once|flat|no adjectives|exact sentence|ten words"),
    ("ironic", "sarcas|iron|insult|sting|teas|mock"),
    ("asking", "question|asks"),
    ("exact", "list|figures|numbers|summary"),
    ("slang", "slang|drawl|drops"),
    ("hesitant", "hesitat|mumbl|pauses|corrects"),
    ("loud", "loud|shout|raises|command|instruction|swears"),
    ("polite", "polite|courteous|soft"),
    ("formal", "formal|complete sentences"),
    ("rambling", "circle|ramb|runs on|side remarks|interrupts herself|fast|long"),
    ("story", "stor|proverb|anecdote|quotes"),
]

WORKS = """ferry captain,on the ferry;bus driver,on the bus;baker,at the bakery;night nurse,on the ward;school cook,in the kitchen;beekeeper,with the bees;
plumber,on the site;electrician,on the site;piano tuner,at the piano;tax adviser,in the office;postman,on my round;vet,at the surgery;locksmith,in the workshop;
librarian,in the library;tram driver,on the tram;fish trader,at the market;welder,at the yard;tailor,in the shop;gardener,in the garden;roofer,on the roof;
taxi driver,in the taxi;chemist,in the lab;teacher,in class;judge,in court;hairdresser,in the salon;carpenter,in the workshop;translator,at the desk;
bookkeeper,in the accounts;lifeguard,at the pool;mechanic,in the garage;florist,in the shop;cheese maker,in the dairy;shepherd,on the hill;crane driver,on the crane;
dentist,at the practice;waiter,in the restaurant;hotel porter,at the hotel;miner,under ground;pilot,in the cockpit;train guard,on the train;butcher,in the shop;
clockmaker,in the workshop;potter,at the wheel;surveyor,in the field;radio producer,at the station;museum guard,at the museum;stage hand,backstage;midwife,on the ward;
shop assistant,at the till;removal man,in the van;firefighter,at the station;customs officer,at the border;bank clerk,at the bank;optician,in the shop;
farmer,on the farm;fisherman,on the boat;journalist,at the paper;photographer,in the studio;painter,on the ladder;bricklayer,on the wall;cleaner,on the night shift;
caretaker,in the building;student of law,at college;student of biology,in the lab;apprentice cook,in the kitchen;apprentice joiner,in the workshop;retired teacher,in class;
retired engineer,at the works;retired sailor,at sea;retired judge,in court;unemployed actor,on stage;wedding singer,at weddings;chess teacher,at the board;
market trader,at the stall;ice-cream seller,at the cart;lorry driver,on the road;bridge engineer,on the bridge;physiotherapist,at the practice;tour guide,on the tour;
referee,on the pitch;zoo keeper,at the zoo;undertaker,at funerals;notary,in the office;programmer,at the screen;warehouse worker,in the hall;call centre agent,on the phone;
chimney sweep,on the roof;upholsterer,in the workshop;bell founder,at the foundry;glass blower,at the furnace;data analyst,at the screen;court clerk,in court;
wine merchant,in the cellar;dog trainer,on the field;driving instructor,in the car;sound engineer,at the desk;shoe repairer,in the shop;kiosk owner,in the kiosk"""
WORKS = [tuple(w.strip().split(",")) for w in WORKS.replace("\n", "").split(";")]
HOBBIES = """chess,ice fishing,rowing,choir,boxing,pottery,hill walking,crosswords,mushroom picking,old radios,stamps,model ships,tango,card games,gardening,
birdwatching,swimming,cycling,table tennis,sewing,knitting,bell-ringing,kite flying,bowls,dominoes,baking,jazz records,amateur theatre,astronomy,climbing,
darts,volleyball,judo,embroidery,origami,detective novels,horror films,street dance,accordion,drumming,sailing,surfing,running,yoga,poetry,jigsaws,
motorbikes,pigeons,orchids,wood carving,calligraphy,karaoke,quiz nights,bee-keeping,wild swimming,archery,fencing,puppet shows,coin collecting,
photography,sketching,cooking contests,football,basketball,badminton,snooker,fishing,hiking,skating,skiing,local history,family trees,board games,flea markets""".replace(
    "\n", ""
).split(",")

OBJECTS = "boat,bicycle,piano,suitcase,tent,stove,clock,camera,violin,kite,ladder,van,lamp,umbrella,radio,wardrobe,cake,tractor,trumpet,sledge".split(
    ","
)
ANIMALS = "goat,dog,parrot,donkey,cat,hedgehog,horse,goose,owl,tortoise,pig,rabbit".split(",")
KIN = "father,mother,brother,sister,uncle,aunt,grandmother,grandfather,cousin,neighbour".split(",")
# memory in the third person, what its owner lets slip of it
MEMORIES = [
    ("{S} lost a {o} in a storm at {age} and never told {h} {k}.", "I lost a {o} in a storm once, so I'd be careful."),
    (
        "At {age} {s} carried a {o} across {place} because nobody would help.",
        "I once carried a {o} across {place}, this is nothing.",
    ),
    ("{S} found a {a} in the cellar and fed it for {n} weeks in secret.", "I hid a {a} in a cellar once, I can keep a secret."),
    (
        "{S} spent a night on a roof in {place} with a {a} and a torch.",
        "I've sat a whole night on a roof with a {a}, I can wait.",
    ),
    (
        "{H} {k} sold the family {o} without asking, and {s} found out on {h} birthday.",
        "My {k} once sold our {o} without asking. Never again.",
    ),
    (
        "{S} won a {o} in a raffle in {place} and gave it back the next day.",
        "I won a {o} once and gave it back. Things aren't everything.",
    ),
    (
        "In {place} {s} waited {n} hours for {h} {k}, who had gone to the wrong station.",
        "I waited {n} hours for my {k} in {place}, so don't talk to me of waiting.",
    ),
    (
        "{S} once repaired a {o} with a spoon and was paid in eggs.",
        "I mended a {o} with a spoon once, so this can be mended too.",
    ),
    (
        "A {a} followed {h2} home from {place} and stayed for {n} years.",
        "A {a} once followed me home and stayed. Some things just come to you.",
    ),
    (
        "{S} broke {h} {k}'s {o} as a child and blamed the {a}.",
        "I broke a {o} as a child and blamed the {a}. I know how it is.",
    ),
    (
        "{S} was locked in a museum in {place} overnight and read every label.",
        "I was locked in a museum overnight once. Read the labels first, I say.",
    ),
    (
        "The day {s} moved to {place}, {h} {o} fell off the lorry and landed unbroken.",
        "My {o} fell off a lorry once and landed unbroken. Have some faith.",
    ),
    (
        "{S} missed {h} {k}'s wedding because of a {a} on the line.",
        "I missed a wedding because of a {a}, I don't make fun of bad luck.",
    ),
    (
        "{S} drove {n} hundred kilometres with a {o} on the roof and arrived without it.",
        "I lost a {o} off the roof of a car once. Tie everything twice.",
    ),
    (
        "At {age} {s} borrowed money for a {o} and paid it back over {n} years.",
        "I paid {n} years for a {o}. I don't borrow any more.",
    ),
    (
        "{S} pulled a {a} out of a canal in {place} and was fined for swimming.",
        "I was fined for pulling a {a} out of a canal. So much for good deeds.",
    ),
    (
        "{S} kept {h} {k}'s {o} for {n} years before daring to open the box.",
        "I kept a box shut for {n} years. You can wait a day.",
    ),
    ("{S} got lost in fog near {place} and followed the sound of a {a}.", "A {a} led me out of the fog once. I trust my ears."),
    (
        "During a power cut {s} played the {o} for a whole street in {place}.",
        "I've seen a whole street sing in the dark. People can surprise you.",
    ),
    (
        "{S} told one lie at {age}, about a {o}, and still blushes.",
        "I lied about a {o} once and I still blush. Better say it now.",
    ),
    (
        "{S} built a {o} with {h} {k}, and it fell apart at the first try.",
        "My {k} and I built a {o} and it fell apart. Measure first.",
    ),
    (
        "{S} swapped shoes with a stranger in {place} and still wears them.",
        "I swapped shoes with a stranger once. Strangers are all right.",
    ),
    (
        "{H} {k} left {h2} a {a} and {n} letters, none of them opened.",
        "I have {n} letters at home I never opened. I understand you.",
    ),
    ("{S} once stopped a bus in {place} to let a {a} cross.", "I stopped a whole bus for a {a}. There's always time."),
    ("{S} burnt the feast for {n} guests and served bread and jam.", "I burnt a feast once and served jam. Nobody died."),
    ("{S} sang in a station in {place} for a ticket home.", "I sang for a ticket once, so don't tell me there's no money."),
]
HOBBY_LINES = [
    "It's like {hobby}: you need patience.",
    "I learnt that from {hobby}.",
    "I'd rather be at {hobby} now, honestly.",
    "In {hobby} you'd be out by now.",
    "I missed {hobby} for this.",
    "{Hobby} has taught me to wait.",
    "You never do that in {hobby}.",
]
WORK_LINES = [
    "{Where} we'd never do it like that.",
    "I see worse every week {where}.",
    "{Where} you learn to look twice.",
    "As a {work} I can tell you it won't work.",
    "Trust a {work} on that.",
    "I deal with such things {where} every day.",
    "{Where} we had a case just like the {t}.",
    "A {work} sees that at once.",
]
PERSONAS = [
    "A {work} from {place}, {age}, {q} and {q2}.",
    "{Work} in {place}, {age}, who is {q} and would rather be at {hobby}.",
    "{Age}-year-old {work} from {place}, {q}, mad about {hobby}.",
    "Once a {work2}, now a {work} in {place}; {q}, {age}, and {q2} before noon.",
    "{S} is a {work} in {place}, {age}, and {q} with everyone but {h} {k}.",
    "A {q} {work}, {age}, who left {place} with one {o} and never went back.",
    "{Work}, {age}, from {place}: {q} at work, {q2} at home.",
    "{S} lives in {place} with a {a}, works as a {work} and is known to be {q}.",
    "The {q} {work} of a small town near {place}, {age}, keeps a {a} and no secrets.",
    "{H} {k} wanted a doctor and got a {work}: {age}, {q}, happy in {place}.",
    "Works as a {work} in {place}, is {age}, and spends every free hour on {hobby}.",
    "A {work} with {n} children in {place}, {q} and always late.",
]


def upper(text):
    return text[:1].upper() + text[1:]


def a_fix(text):
    return re.sub(r"\b([Aa]) (?=[aeiou])(?!us|un[is])", r"\1n ", text)


def shipped(name):
    path = PROMPTS / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


class Person:
    """`fields` as on disk; what it may let slip: `memory_line`, `work`, `where`, `hobbies`, `traits`, `talk`."""

    memory_line = work = where = persona = None
    hobbies = ()
    traits = ()
    talk = "plain"

    def full(self):
        return self.fields

    def describe(self):
        f = self.fields
        if self.persona:
            return f"{self.name}: {self.persona}"
        return (
            f"{self.name}, {f['age']}: {f['speech_style']}; {', '.join(f['qualities'])}; {f['work']}; "
            f"{', '.join(f['hobbies'])}."
        )

    def member_lines(self):
        f = self.fields
        if self.persona:
            return f"{self.name}: {self.persona}\n"
        return (
            f"{self.name}: {f['age']}, {f['nationality']}; {', '.join(f['qualities'])}. Talks: {f['speech_style']}. "
            f"Work: {f['work']}. Hobbies: {', '.join(f['hobbies'])}.\nMemory: {f['memory']}\n"
        )


class People:
    def __init__(self, rng):
        self.rng = rng
        self.individuals = shipped("personas/individuals.jsonl")
        self.lines = [p["persona"] for p in shipped("personas/personas.jsonl")]
        self.extra_q = sorted({q for i in self.individuals for q in i["qualities"] if len(q) <= 24} - set(QUALITIES))
        self.extra_talk = sorted({i["speech_style"] for i in self.individuals if len(i["speech_style"]) <= 60})
        self.extra_hobby = sorted({h for i in self.individuals for h in i["hobbies"] if len(h) <= 24})

    @staticmethod
    def talk_of(text):
        if text in TALK_OF:
            return TALK_OF[text]
        return next((k for k, r in TALK_KEYS if re.search(r, text)), "plain")

    def basics(self, taken):
        rng = self.rng
        while True:
            nation = rng.choice(list(NATIONS))
            women, men, places = NATIONS[nation]
            she = rng.random() < 0.5
            name = rng.choice((women if she else men).split())
            if name not in taken:
                taken.add(name)
                return nation, she, name, places.split(",")

    def words(self, she, places, age):
        rng = self.rng
        n = rng.randrange(2, 40)
        return {
            "S": "She" if she else "He",
            "s": "she" if she else "he",
            "H": "Her" if she else "His",
            "h": "her" if she else "his",
            "h2": "her" if she else "him",
            "o": rng.choice(OBJECTS),
            "a": rng.choice(ANIMALS),
            "k": rng.choice(KIN),
            "n": str(n),
            "age": str(age),
            "place": rng.choice(places),
        }

    def invented(self, taken):
        rng = self.rng
        nation, she, name, places = self.basics(taken)
        p = Person()
        p.name = name
        age = rng.randrange(16, 86)
        work, where = rng.choice(WORKS)
        if age > 70 and not work.startswith("retired") and rng.random() < 0.5:
            work = "retired " + work
        elif age < 20 and rng.random() < 0.5:
            work = "apprentice " + work if not work.startswith(("app", "ret", "stud")) else work
        n_q = rng.choice((2, 3, 3, 4))
        qs = rng.sample(QUALITIES, n_q)
        if rng.random() < 0.25:
            qs[rng.randrange(n_q)] = rng.choice(self.extra_q)
        talk = rng.choice(TALKS[rng.choice(list(TALKS))]) if rng.random() < 0.8 else rng.choice(self.extra_talk)
        hobbies = rng.sample(HOBBIES, rng.choice((1, 2, 2)))
        if rng.random() < 0.2:
            hobbies[0] = rng.choice(self.extra_hobby)
        w = self.words(
            she,
            places if rng.random() < 0.7 else rng.choice(list(NATIONS.values()))[2].split(","),
            rng.randrange(8, max(9, min(age, 50))),
        )
        third, first = rng.choice(MEMORIES)
        memory, p.memory_line = a_fix(third.format(**w)), a_fix(first.format(**w))
        p.fields = {
            "name": name,
            "nationality": nation,
            "age": age,
            "qualities": qs,
            "speech_style": talk,
            "work": work,
            "hobbies": hobbies,
            "memory": memory,
        }
        self.finish(p, where)
        return p

    def finish(self, p, where=None):
        f = p.fields
        p.work, p.where, p.hobbies = f["work"], where, f["hobbies"]
        p.traits = [TRAIT_OF[q] for q in f["qualities"] if q in TRAIT_OF]
        p.talk = self.talk_of(f["speech_style"])

    def given(self, taken):
        """One of the shipped individuals."""
        free = [i for i in self.individuals if i["name"] not in taken]
        p = Person()
        p.fields = self.rng.choice(free)
        p.name = p.fields["name"]
        taken.add(p.name)
        self.finish(p)
        return p

    def known(self, fields):
        """A person as an experience names it."""
        p = Person()
        p.fields, p.name = fields, fields["name"]
        if "persona" in fields:
            p.persona = fields["persona"]
        else:
            self.finish(p)
        return p

    def sampled(self, taken):
        """A persona in one line, and a name for it."""
        rng = self.rng
        nation, she, name, places = self.basics(taken)
        p = Person()
        p.name = name
        if rng.random() < 0.3:
            line = rng.choice(self.lines)
            for women, men, where in NATIONS.values():
                if any(w in line for w in where.split(",")):
                    she = bool(re.search(r"\b([Hh]er|[Ss]he)\b", line)) or (
                        rng.random() < 0.5 and not re.search(r"\b([Hh]is|[Hh]e)\b", line)
                    )
                    other = rng.choice((women if she else men).split())
                    if other not in taken:
                        taken.add(other)
                        p.name = other
            p.persona, p.fields = line, {"name": p.name, "persona": line}
            return p
        work, p.where = rng.choice(WORKS)
        q, q2 = rng.sample(QUALITIES, 2)
        age = rng.randrange(18, 84)
        hobby = rng.choice(HOBBIES)
        form = rng.choice(PERSONAS)
        w = self.words(she, places, age)
        w |= {
            "work": work,
            "Work": upper(work),
            "work2": rng.choice(WORKS)[0],
            "q": q,
            "q2": q2,
            "hobby": hobby,
            "Age": str(age),
        }
        p.persona = upper(a_fix(form.format(**w)))
        p.fields = {"name": p.name, "persona": p.persona}
        p.work = work
        p.hobbies = [hobby] if "{hobby}" in form else ()
        p.traits = [TRAIT_OF[q]] if "{q}" in form else []
        return p
