"""Words that break, or may not begin or end, a key phrase of a clinical text. Our own list."""

from medloom.text.wordlist import word_set

FUNCTION_WORDS = word_set(
    """
    a about above across after again against all almost along already also although always am among an and another
    any anyone anything are around as at away be became because become been before behind being below beneath beside
    besides between beyond both but by can cannot could did do does doing done down due during each either else
    enough etc even ever every everyone everything except few for from further furthermore had has have having he
    hence her here hers herself him himself his how however i if in indeed instead into is it its itself just least
    less like likely many may maybe me meanwhile might mine more moreover most much must my myself near nearly
    neither never nevertheless no nobody none nor not nothing now of off often on once one only onto or other others
    otherwise ought our ours ourselves out over own per perhaps please quite rather really regarding same several
    shall she should since so some someone something sometimes somewhat soon still such than that the their theirs
    them themselves then there thereafter therefore these they this those though through throughout thus to today
    together too toward towards under unless until unto up upon us very via was we well were what whatever when
    whenever where whereas wherever whether which while who whom whose why will with within without would yes yet
    you your yours yourself two three four five six seven eight nine ten eleven twelve first second third once twice
    thrice half dozen hundred thousand zero vs versus
    """
)

_VERBS = word_set(
    """
    accompanied achieve achieved add added administered admit admits admitted advised agree agreed agrees allow
    allowed amputated anesthetized appear appeared appears applied apply appreciated arrive arrived ask asked assess
    assessed assist assisted attempt attempted attend attended aspirated auscultated awakened await awaiting based
    became becomes began begin begun believe believed believes brought bring call called came carry carried
    cauterized cause caused causes causing change changed check checked choose chose chosen claims cleaned clipped
    closed coagulated come comes complain complained complaining complains complete completed completing concern
    concerned conclude concluded confirm confirmed connected consider considered considering consist consisted
    consisting consists consult consulted contacted contain contained containing contains continue continued
    continues continuing controlled correct corrected counseled covered cut deceased decide decided decline declined
    decrease decreased decreases demonstrate demonstrated demonstrates demonstrating denied denies deny denying
    deployed describe described describes detected determine determined develop developed develops diagnose
    diagnosed die died directed discharge discharged disclosed discontinue discontinued discuss discussed dissect
    dissected divided draped drawn dressed drink drinks drop dropped eat eats elected eliminated encountered
    encouraged ended enrolled ensure entered establish established evaluate evaluated evacuated examine examined
    excised exist existed exists expect expected experience experienced experiences experiencing explain explained
    explored exposed extended extending extends extubated failed feel feeling feels fell felt find finds finished
    fixed flushed follow followed following follows found gave get gets getting give given gives giving go goes
    going gone got grew grown happen happened harvested heal healed hear heard held help helped hold identified
    identify identifying implanted improve improved improves improving incised include included includes including
    increase increased increases indicate indicated indicates indicating induced inform informed infused initiated
    injected inserted inspected instilled instruct instructed instrumented intend intended interested intubated
    investigate investigated involve involved involves involving irrigated isolated keep kept knew know known knows
    lasted lasting lay lays leading leads leave leaves led let ligated lie lies listed live lived lives living
    localized located look looked looking looks lose loses lost lying made maintain maintained make makes making
    manage managed mean means measured measures measuring meet meets mention mentioned mobilized monitored move
    moved need needed needs noted notes notice noticed notices observe observed obtain obtained occur occurred
    occurring occurs offer offered open opened ordered oriented palpated pass passed passes passing perform
    performed performing persist persisted persists persuaded placed places placing plan planned plans possessed
    prefer prefers prepared prepped prescribe prescribed present presented presenting presents prevent prevented
    proceed proceeded produce produced progress progressed proved provide provided provides providing pulled put
    putting quit ran ranged ranging reach reached read reapproximated received receive receives receiving recommend
    recommended recommends record recorded recover recovered reduce reduced refer referred refuse refused refuses
    regard relate related released relieved remain remained remaining remains removed remove removing repeated
    replaced report reported reportedly reporting reports represent represented represents require required requires
    requiring resected resolve resolved respond responded resting result resulted resulting results return returned
    returning returns reveal revealed revealing reveals reviewed rule ruled run running said sat saw say saying says
    schedule scheduled secured see seeing seek seem seemed seems seen send sent separated serve served set show
    showed showing shown shows sit sitting slept smoke smoked smokes sounded speak stabilized stand standing start
    started starting starts state stated states stating stay stayed stays stop stopped stops submitted subside
    subsided suffer suffered suffering sufficed suggest suggested suggesting suggestive suggests supported suspect
    suspected sutured take taken takes taking talk talked tell tells think thinks thought tied tolerated told took
    transected transfer transferred transferring transported treat treated treating tried try trying turn turned
    undergo undergoes undergoing undergone understand understands understood underwent unremarkable unresponsive use
    used uses using utilized verbalized verified viewed visit visited visualized wait walked walks want wanted wants
    warrant wash washed wear wears weigh weighed weighs went willing wish wished wishes withdrawn withdrew work
    worked working works worry worsened worsens wrapped write written wrote yielded
    """
)

_TIME = word_set(
    """
    ago am annual annually bid daily date day days early evening hour hourly hours hrs january february march april
    may june july august september october november december late later minute minutes monday tuesday wednesday
    thursday friday saturday sunday month monthly months morning night nightly noon now old pm previously prior qd
    qhs qid recent recently tid time times tomorrow tonight week weekend weekly weeks year yearly years yesterday yo
    y/o min sec hr yrs
    """
)

BREAKERS = (
    FUNCTION_WORDS
    | _VERBS
    | _TIME
    | word_set(
        """
    able absent additional additionally adequate adequately alert apparent apparently appropriate appropriately
    available aware basically bilaterally brief briefly certain clear clearly clinically completely consistent
    currently different difficult easily essentially eventually evident exactly excellent fair fairly finally fine
    following full fully general generally good gradually grossly gross highly immediately initial initially intact
    larger largely last long mainly major moderately moreover namely negative next nice nontender normal normally
    notable obviously okay ok old otherwise particular particularly pleasant poor possible possibly present
    presently previous probable probably proper properly questionable quickly readily relatively respectively
    routinely satisfactory secondary significant significantly similar simply slight slightly slowly smaller
    somewhat specific specifically stable subsequently successful successfully sufficient supple suddenly sure
    therein today total typically unable unchanged uneventful unfortunately unknown usual usually various
    well-developed well-nourished wide widely worse x a.m p.m he/she his/her and/or mg mcg ml kg cm mm cc lb lbs
    pound pounds feet foot-long inch inches units unit mmhg degrees percent dose doses tablet tablets pill pills
    capsule po iv prn tab tabs dl mmol meq ng g l degree fahrenheit bpm xyz abc th st nd rd despite whereby wherein
    avoid avoided
    avoids broke rose shot inflamed bent tightly colored thank thanks greetings new
    """
    )
)
"""Words at which a candidate ends."""

FILLERS = word_set(
    """
    patient patients pt pts subject subjects man woman male female boy girl gentleman lady infant mother father wife
    husband brother sister son daughter child children doctor dr mr mrs ms md phd physician nurse clinic hospital
    office room family history department emergency service note notes case cases number amount area areas part
    parts place way fact thing things lot bit kind type types use side sides end beginning person people year-old
    day-old month-old week-old age aged caucasian african-american hispanic white black question answer issue issues
    problem problems order evidence sign signs finding findings purpose following details detail discussion option
    options usual manner fashion complete home need needs regard basis addition respect terms name chart record
    records data review reason concern concerns status degree form group groups use study studies patient's figure
    table conclusion background methods method introduction objective objectives results diagnosis diagnoses
    diagnostic prognosis dx preoperative-diagnosis name impression impressions indication indications specimen
    specimens count counts procedure procedures operation operations performed exam findings
    """
)
"""Words that say nothing of what a passage is about."""

NOT_FIRST = word_set(
    """
    side sided likely course examination-of well region aspect portion level exam position sterile standard point
    points minimal mild moderate onset dependent entire other positive
    """
)
"""Words that no phrase begins with."""

NOT_LAST = word_set(
    """
    left right acute chronic severe mild moderate minimal bilateral upper lower anterior posterior lateral medial
    superior inferior proximal distal marked multiple diffuse primary further residual recurrent active intermittent
    persistent increasing decreasing worsening underlying nonspecific extensive massive subtle positive mid old
    midline transverse superficial deep gross left-sided right-sided central peripheral oral intravenous surgical
    clinical medical physical general sterile standard internal external initial final occasional continuous
    progressive high-grade low-grade partial total prominent approximate light heavy female male pulmonary cardiac
    renal hepatic abdominal cerebral thoracic cervical lumbar pelvic femoral spinal vascular neurological
    ventricular atrial arterial venous gastrointestinal small large low high soft smooth single whole great major
    risk respiratory cardiovascular ischemic degenerative metastatic inflammatory traumatic congenital malignant
    benign ovarian uterine fusiform adherent opposite extra complete painful dependent patent manual local regional
    entire
    """
)
"""Adjectives: no phrase ends with one."""

NOUNS_IN_ING = word_set(
    """
    aching bathing bleeding blistering blurring breathing breastfeeding bruising burning casting choking clotting
    clubbing coughing counseling cramping crowding drawing dressing drooling drooping eating feeding flushing
    freezing gagging grafting grinding guarding hearing imaging itching limping lightening lining listing mapping
    nursing numbing packing pacing peeling pinning pitting plating pooling reading ring ringing running scanning
    scarring screening sequencing shivering skipping sleeping sling smoking sneezing snoring spacing spitting
    splinting spotting spring staging staining stapling stenting sting stinging straining string stuttering
    suctioning suturing sweating swelling swallowing testing thickening thinning thing tightening tingling training
    trembling twitching typing urinating vomiting walking wasting weaning wheezing wing narrowing wedging bulging
    tearing shortening lengthening stretching monitoring processing clearing loosening
    """
)
"""Words in -ing that are things."""

NOUNS_LIKE_ADJECTIVES = word_set(
    """
    analgesic anesthetic animal antibiotic anticonvulsant antiemetic antihypertensive antiseptic appraisal arrival
    artery boundary cable canal capillary capital chemical clinic colic contraceptive coronary dictionary diuretic
    epidural fabric hospital interval journal laboratory laxative mandible meal metal missile narcotic ovary panic
    petal pituitary plastic profile referral refusal removal renewal retrieval sedative summary survival syllable
    table topic trial vegetable vial withdrawal mucous memory factory history accessory directory
    """
)
"""Nouns that end like adjectives."""
