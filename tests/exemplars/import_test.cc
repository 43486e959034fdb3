#include "exemplars/import.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/temporary_directory.h"
#include "text/exemplar.h"

namespace prescript {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

// The files are written by hand in the shape of the published ones, with texts of our own.
class Import : public testing::Test {
 protected:
  ImportedSet import(const std::string& format,
                     const std::string& name,
                     const std::string& bytes,
                     const ImportOptions& options = {}) const {
    return import_exemplars(format, {directory_.write(name, bytes)}, options);
  }

  /// As the commands read them.
  static std::vector<Exemplar> read(const ImportedSet& set) {
    return parse_exemplars(set.jsonl, "out.jsonl", /*need_answer=*/false);
  }

  std::string error_of(const std::string& format,
                       const std::string& name,
                       const std::string& bytes,
                       const ImportOptions& options = {}) const {
    try {
      import(format, name, bytes, options);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryDirectory directory_;
};

const char* const kDocument = R"(<?xml version="1.0" encoding="UTF-8"?>
<Document id="0000042" source="GARD" url="https://rarediseases.example/42">
<Focus>Testitis</Focus>
<FocusAnnotations><UMLS><CUIs><CUI>C0000000</CUI></CUIs></UMLS></FocusAnnotations>
<QAPairs>
  <QAPair pid="1">
    <Question qid="0000042-1" qtype="information">What is (are) Testitis ?</Question>
    <Answer>  An &lt;invented&gt; disease.
Harmless. </Answer>
  </QAPair>
  <QAPair pid="2">
    <Question qid="0000042-2" qtype="symptoms">What are the symptoms of Testitis ?</Question>
    <Answer/>
  </QAPair>
</QAPairs>
</Document>
)";

TEST_F(Import, OfMedquadHasAnExemplarForEachAnsweredPair) {
  const ImportedSet set = import("medquad", "0000042.xml", kDocument);
  EXPECT_EQ(set.jsonl,
            R"({"id":"medquad-GARD-0000042-1","source":"MedQuAD/GARD","topic":"information",)"
            R"("question":"What is (are) Testitis ?","answer":"An <invented> disease.\nHarmless."})"
            "\n");
  EXPECT_THAT(set.left_out, ElementsAre(Pair("without an answer", 1)));
  EXPECT_THAT(set.unused_fields, ElementsAre("Focus", "FocusAnnotations"));
  EXPECT_EQ(import("medquad", "0000042.xml", kDocument, {.keep_unanswered = true}).num_imported,
            2u);
}

TEST_F(Import, OfMedquadReadsDirectories) {
  std::filesystem::create_directory(directory_ / "b");
  directory_.write("b/2.xml", kDocument);
  directory_.write("b/readme.txt", "no XML");
  std::string other = kDocument;
  other.replace(other.find("0000042-1"), 9, "0000041-1");
  directory_.write("1.xml", other);
  const ImportedSet set = import_exemplars("medquad", {directory_.path()});
  const auto exemplars = read(set);
  ASSERT_EQ(exemplars.size(), 2u);
  EXPECT_EQ(exemplars[0].id, "medquad-GARD-0000041-1");
}

TEST_F(Import, OfMedquadNamesEveryDefectByLine) {
  const std::string error =
      error_of("medquad",
               "a.xml",
               "<Document source=\"S\"><QAPairs>\n<QAPair><Question qtype=\"t\">Secret?</Question>"
               "<Answer>Secret</Answer></QAPair>\n<QAPair><Answer>Secret</Answer></QAPair>\n"
               "</QAPairs></Document>");
  EXPECT_THAT(error, HasSubstr("2 defects; nothing is imported"));
  EXPECT_THAT(error, HasSubstr("a.xml:2: Question: without the attribute qid"));
  EXPECT_THAT(error, HasSubstr("a.xml:3: QAPair: without Question"));
  EXPECT_THAT(error, Not(HasSubstr("Secret")));
  EXPECT_THAT(error_of("medquad", "a.xml", "<html/>"), HasSubstr("root element"));
  EXPECT_THAT(error_of("medquad", "a.xml", "<!DOCTYPE a><a/>"), HasSubstr("DOCTYPE"));
}

TEST_F(Import, OfLiveqaTestSetsTakesTheFirstReferenceAnswer) {
  const ImportedSet set = import("liveqa", "test.xml", R"(<?xml version="1.0" encoding="UTF-8"?>
<LiveQA2017-Medical-Test-Set-Full>
<NLM-QUESTION qid="TQ1">
  <Original-Question qfile="71.txt">
    <Subject> testitis pills </Subject>
    <Message>	are they &lt;safe&gt;
		for  me?	</Message>
  </Original-Question>
  <Paraphrase>Is testitis harmless?</Paraphrase>
  <Annotations>
    <Q-Focus fid="F1" fcategory="Problem">testitis</Q-Focus>
    <Q-Type tid="T1" hasFocus="F1">SIDE_EFFECT</Q-Type>
    <Q-Type tid="T2" hasFocus="F1">DOSAGE</Q-Type>
    <Q-Type tid="T3" hasFocus="F1">SIDE_EFFECT</Q-Type>
  </Annotations>
  <ReferenceAnswers>
    <RefAnswer aid="TQ1A1"><Answer> </Answer><AnswerURL>x</AnswerURL></RefAnswer>
    <RefAnswer aid="TQ1A2">
      <Answer>Yes.

      Two a day. </Answer>
      <AnswerURL> https://pills.example </AnswerURL><Comment>good</Comment>
    </RefAnswer>
    <RefAnswer aid="TQ1A3"><Answer>Mostly.</Answer></RefAnswer>
  </ReferenceAnswers>
</NLM-QUESTION>
<NLM-QUESTION qid="TQ2">
  <Original-Question><SUBJECT/><MESSAGE>What is it?</MESSAGE></Original-Question>
  <NIST-PARAPHRASE>x</NIST-PARAPHRASE><NLM-Summary>What is testitis?</NLM-Summary>
  <ANNOTATIONS><FOCUS>testitis</FOCUS><TYPE tid="T1">INFORMATION</TYPE></ANNOTATIONS>
  <ReferenceAnswers>
    <ReferenceAnswer aid="TQ2A1"><ANSWER>A test.</ANSWER><COMMENT/></ReferenceAnswer>
  </ReferenceAnswers>
</NLM-QUESTION>
<NLM-QUESTION qid="TQ3">
  <Original-Question><Subject>Nobody answers?</Subject><Message></Message></Original-Question>
  <ReferenceAnswers></ReferenceAnswers>
</NLM-QUESTION>
</LiveQA2017-Medical-Test-Set-Full>
)");
  EXPECT_EQ(
      set.jsonl,
      R"({"id":"liveqa-TQ1","source":"LiveQA","topic":"side_effect, dosage",)"
      R"("question":"testitis pills\nare they <safe>\nfor  me?","answer":"Yes.\n\nTwo a day."})"
      "\n"
      R"({"id":"liveqa-TQ2","source":"LiveQA","topic":"information","question":"What is it?",)"
      R"("answer":"A test."})"
      "\n");
  EXPECT_THAT(
      set.left_out,
      ElementsAre(Pair("of further answers to a question", 1), Pair("without an answer", 1)));
  EXPECT_THAT(
      set.unused_fields,
      ElementsAre(
          "AnswerURL", "COMMENT", "Comment", "NIST-PARAPHRASE", "NLM-Summary", "Paraphrase"));
}

const char* const kLiveqaTraining = R"(<NLM-QUESTIONS>
<NLM-QUESTION questionid="Q6" fRef="17730">
  <SUBJECT>testitis</SUBJECT>
  <MESSAGE>What is it and what causes it?</MESSAGE>
  <SUB-QUESTIONS>
    <SUB-QUESTION subqid="Q6-S1">
      <ANNOTATIONS><FOCUS>testitis</FOCUS><TYPE>information</TYPE></ANNOTATIONS>
      <ANSWERS>
        <ANSWER answerid="Q6-S1-A1" pairid="8">A disease.</ANSWER>
        <ANSWER answerid="Q6-S1-A2" pairid="9">An illness.</ANSWER>
      </ANSWERS>
    </SUB-QUESTION>
    <SUB-QUESTION subqid="Q6-S2">
      <ANNOTATIONS><FOCUS>testitis</FOCUS><TYPE>Cause</TYPE></ANNOTATIONS>
      <ANSWERS><ANSWER answerid="Q6-S2-A1" pairid="12">Tests.</ANSWER></ANSWERS>
    </SUB-QUESTION>
  </SUB-QUESTIONS>
</NLM-QUESTION>
</NLM-QUESTIONS>
)";

TEST_F(Import, OfLiveqaTrainingSetsJoinsTheAnswersToTheParts) {
  const ImportedSet set = import("liveqa", "train.xml", kLiveqaTraining);
  EXPECT_EQ(set.jsonl,
            R"({"id":"liveqa-Q6","source":"LiveQA","topic":"information, cause",)"
            R"("question":"testitis\nWhat is it and what causes it?",)"
            R"("answer":"A disease.\n\nTests."})"
            "\n");
  EXPECT_THAT(set.left_out, ElementsAre(Pair("of further answers to a question", 1)));
}

TEST_F(Import, OfLiveqaNamesEveryDefectByLine) {
  const std::string error =
      error_of("liveqa",
               "a.xml",
               "<NLM-QUESTIONS>\n<NLM-QUESTION><MESSAGE>Secret?</MESSAGE></NLM-QUESTION>\n"
               "<NLM-QUESTION qid=\"1\"><SUBJECT> </SUBJECT></NLM-QUESTION>\n"
               "<QUESTION qid=\"2\"><MESSAGE>Secret?</MESSAGE></QUESTION></NLM-QUESTIONS>");
  EXPECT_THAT(error, HasSubstr("3 defects; nothing is imported"));
  EXPECT_THAT(error, HasSubstr("a.xml:2: NLM-QUESTION: without the attribute qid or questionid"));
  EXPECT_THAT(error, HasSubstr("a.xml:3: NLM-QUESTION: neither Subject nor Message has a text"));
  EXPECT_THAT(error, HasSubstr("a.xml:4: QUESTION: expected NLM-QUESTION"));
  EXPECT_THAT(error, Not(HasSubstr("Secret")));
  EXPECT_THAT(error_of("liveqa", "a.xml", "<html/>"), HasSubstr("a.xml: no records"));
}

TEST_F(Import, OfPubmedqaIsAChoiceWithTheAbstractAsContext) {
  const ImportedSet set = import("pubmedqa", "ori_pqal.json", R"({
    "123": {"QUESTION": "Does it help?", "CONTEXTS": ["We asked.", "We saw."],
            "LABELS": ["BACKGROUND", "RESULTS"], "MESHES": ["Humans"], "YEAR": "2011",
            "reasoning_required_pred": "yes", "final_decision": "maybe", "LONG_ANSWER": "Unclear."},
    "124": {"QUESTION": "And this?", "CONTEXTS": ["We asked."], "LABELS": ["AIM"], "YEAR": null,
            "LONG_ANSWER": "Yes."}})");
  EXPECT_EQ(
      set.jsonl,
      R"({"id":"pubmedqa-123","source":"PubMedQA","context":"BACKGROUND: We asked.\nRESULTS: We saw.",)"
      R"("question":"Does it help?","options":{"A":"yes","B":"no","C":"maybe"},"answer":"C",)"
      R"("rationale":"Unclear."})"
      "\n");
  EXPECT_THAT(set.left_out, ElementsAre(Pair("without an answer", 1)));
  EXPECT_THAT(set.unused_fields, ElementsAre("MESHES", "YEAR", "reasoning_required_pred"));
}

TEST_F(Import, OfPubmedqaNamesRecordAndField) {
  const std::string error = error_of("pubmedqa", "p.json", R"({
    "1": {"QUESTION": "Q?", "CONTEXTS": ["c"], "LABELS": ["l", "m"], "final_decision": "yes"},
    "2": {"QUESTION": "", "CONTEXTS": ["c"], "LABELS": ["l"], "final_decision": "yes"},
    "3": {"QUESTION": "Q?", "CONTEXTS": ["c"], "LABELS": ["l"], "final_decision": "perhaps"},
    "4": {"QUESTION": "Q?", "CONTEXTS": "c", "final_decision": "yes"}})");
  EXPECT_THAT(error, HasSubstr("4 defects"));
  EXPECT_THAT(error, HasSubstr("p.json: 1.LABELS: 2 labels for 1 sections"));
  EXPECT_THAT(error, HasSubstr("p.json: 2.QUESTION: empty"));
  EXPECT_THAT(error, HasSubstr("p.json: 3.final_decision: not one of yes, no, maybe"));
  EXPECT_THAT(error, HasSubstr("p.json: 4.CONTEXTS: expected an array"));
}

TEST_F(Import, OfMmluReadsQuotedCells) {
  const ImportedSet set = import("mmlu",
                                 "college_medicine_test.csv",
                                 "\"Which, of \"\"these\"\",\nis it?\",one,\"two, three\",3,4,B\n"
                                 "Why?,a,b,c,d,D\n");
  const auto exemplars = read(set);
  ASSERT_EQ(exemplars.size(), 2u);
  EXPECT_EQ(exemplars[0].id, "mmlu-college_medicine_test-1");
  EXPECT_EQ(exemplars[0].question, "Which, of \"these\",\nis it?");
  EXPECT_EQ(exemplars[0].options[1], (AnswerOption{"B", "two, three"}));
  EXPECT_EQ(exemplars[0].answer, "B");
  EXPECT_THAT(set.jsonl, HasSubstr(R"("topic":"college_medicine")"));
  EXPECT_THAT(error_of("mmlu", "a_test.csv", "Why?,a,b,c,d,E\nWhy?,a\nWhy?,a,,c,d,A\n"),
              testing::AllOf(HasSubstr("a_test.csv:1: answer: not the letter of an option"),
                             HasSubstr("a_test.csv:2: 2 columns"),
                             HasSubstr("a_test.csv:3: column 3: empty")));
}

TEST_F(Import, OfMedqaHasFourOrFiveOptions) {
  const ImportedSet set = import(
      "medqa",
      "dev.jsonl",
      R"({"question": "Q?", "answer": "c", "options": {"A": "a", "B": "b", "C": "c", "D": "d", "E": "e"}, "meta_info": "step1", "answer_idx": "C"})"
      "\n"
      R"({"question": "R?", "answer": "b", "options": {"A": "a", "B": "b"}, "metamap_phrases": []})");
  const auto exemplars = read(set);
  ASSERT_EQ(exemplars.size(), 2u);
  EXPECT_EQ(exemplars[0].id, "medqa-dev-1");
  EXPECT_EQ(exemplars[0].options.size(), 5u);
  EXPECT_EQ(exemplars[0].answer, "C");
  EXPECT_EQ(exemplars[1].answer, "B");
  EXPECT_THAT(set.unused_fields, ElementsAre("metamap_phrases"));
  const std::string error = error_of(
      "medqa",
      "dev.jsonl",
      R"({"question": "Q?", "answer": "b", "options": {"A": "a", "B": "b"}, "answer_idx": "A"})"
      "\n"
      R"({"question": "Q?", "answer": "a", "options": {"A": "a", "C": "b"}, "answer_idx": "A"})"
      "\n"
      R"({"question": "Q?", "answer": "a", "options": {"A": "a", "B": "a"}})"
      "\n"
      R"({"question": "Q?", "answer": "a", "options": {"A": "a", "B": "b"}, "answer_idx": "Z"})");
  EXPECT_THAT(error, HasSubstr("dev.jsonl:1: answer: not the text of option A"));
  EXPECT_THAT(error, HasSubstr("dev.jsonl:2: options: "));
  EXPECT_THAT(error, HasSubstr("dev.jsonl:3: answer: not the text of one option"));
  EXPECT_THAT(error, HasSubstr("dev.jsonl:4: answer_idx: not the letter of an option"));
}

std::string medmcqa(const std::string& id, const std::string& cop) {
  return R"({"id": ")" + id +
         R"(", "question": "Q?", "opa": "a", "opb": "b", "opc": "c", "opd": "d", "cop": )" + cop +
         R"(, "exp": null, "subject_name": "Anatomy", "topic_name": null, "choice_type": "single"})"
         "\n";
}

TEST_F(Import, OfMedmcqaKnowsFromWhereItCounts) {
  auto answers = [&](const std::string& bytes, const ImportOptions& options = {}) {
    std::string letters;
    for (const Exemplar& exemplar : read(import("medmcqa", "dev.json", bytes, options)))
      letters += *exemplar.answer;
    return letters;
  };
  EXPECT_EQ(answers(medmcqa("x", "1") + medmcqa("y", "4")), "AD");
  EXPECT_EQ(answers(medmcqa("x", "1") + medmcqa("y", "0")), "BA");
  EXPECT_EQ(answers(medmcqa("x", "2"), {.first_option = 0}), "C");
  EXPECT_EQ(answers(medmcqa("x", "2"), {.first_option = 1}), "B");
  EXPECT_THAT(error_of("medmcqa", "d.json", medmcqa("x", "2")), HasSubstr("--first-option 0"));
  EXPECT_THAT(error_of("medmcqa", "d.json", medmcqa("x", "0") + medmcqa("y", "4")),
              HasSubstr("0 and 4 both occur"));
  EXPECT_THAT(error_of("medmcqa", "d.json", medmcqa("x", "4"), {.first_option = 0}),
              HasSubstr("rules out"));
  EXPECT_THAT(error_of("medmcqa", "d.json", medmcqa("x", "5")),
              HasSubstr("d.json:1: cop: 5 is not in [-1, 4]"));
  const ImportedSet set = import("medmcqa", "test.json", medmcqa("x", "-1") + medmcqa("y", "0"));
  EXPECT_THAT(set.left_out, ElementsAre(Pair("without an answer", 1)));
  EXPECT_THAT(set.jsonl, HasSubstr(R"("id":"medmcqa-y","source":"MedMCQA","topic":"Anatomy")"));
}

TEST_F(Import, OfKqaKeepsTheStatementsThatAnAnswerMustMake) {
  const ImportedSet set = import(
      "kqa",
      "questions_w_answers.jsonl",
      R"({"Question": "Q?", "Free_form_answer": "Rest.", "Must_have": ["Rest"], "Nice_to_have": []})");
  EXPECT_EQ(set.jsonl,
            R"({"id":"kqa-questions_w_answers-1","source":"K-QA","question":"Q?","answer":"Rest.",)"
            R"("must_have":["Rest"]})"
            "\n");
  EXPECT_THAT(set.unused_fields, ElementsAre("Nice_to_have"));
}

TEST_F(Import, OfInstructionsPutsTheInputBehindTheInstruction) {
  const std::string records =
      R"([{"instruction": "Answer.", "input": "Is it bad?", "output": "No."},
 {"instruction": "Say hello.", "input": "", "output": "Hello."}])";
  const ImportedSet set = import("alpaca", "data.json", "\n" + records);
  const auto exemplars = read(set);
  ASSERT_EQ(exemplars.size(), 2u);
  EXPECT_EQ(exemplars[0].question, "Answer.\n\nIs it bad?");
  EXPECT_EQ(exemplars[0].answer, "No.");
  EXPECT_EQ(exemplars[1].question, "Say hello.");
  EXPECT_EQ(exemplars[1].id, "data-2");
  EXPECT_THAT(error_of("alpaca", "d.json", R"([{"instruction": 1, "output": "x"}, {}])"),
              testing::AllOf(HasSubstr("d.json:1: instruction: expected a string"),
                             HasSubstr("d.json:2: instruction: missing")));
}

TEST_F(Import, OfMessagesKeepsTheConversation) {
  const ImportedSet set = import(
      "messages",
      "chat.jsonl",
      R"({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A."}], "weight": 1})");
  const auto exemplars = read(set);
  ASSERT_EQ(exemplars.size(), 1u);
  EXPECT_EQ(exemplars[0].id, "chat-1");
  EXPECT_EQ(exemplars[0].before.at(0).content, "Be brief.");
  EXPECT_EQ(exemplars[0].answer, "A.");
  EXPECT_THAT(set.unused_fields, ElementsAre("weight"));
  EXPECT_THAT(
      error_of("messages", "chat.jsonl", R"({"messages": [{"role": "tool", "content": "Q?"}]})"),
      HasSubstr("chat.jsonl:1: messages[0].role: not one of"));
}

TEST_F(Import, OfATableFindsColumnsByTheirHeaders) {
  const ImportedSet set = import("csv",
                                 "t.csv",
                                 "id,Frage,A,B,C,answer,Kommentar\r\n"
                                 "q1,Was hilft?,Ruhe,Eis,,Eis,gut\r\n"
                                 "q2,Was?,,,,Nichts.,\r\n"
                                 ",Wann?,,,,,\r\n",
                                 {.columns = {{"question", "Frage"}}});
  const auto exemplars = read(set);
  ASSERT_EQ(exemplars.size(), 2u);
  EXPECT_EQ(exemplars[0].id, "q1");
  EXPECT_EQ(exemplars[0].answer, "B");
  EXPECT_EQ(exemplars[1].answer, "Nichts.");
  EXPECT_THAT(set.left_out, ElementsAre(Pair("without an answer", 1)));
  EXPECT_THAT(set.unused_fields, ElementsAre("Kommentar"));
}

TEST_F(Import, OfATableThatDoesNotFitSaysHow) {
  EXPECT_THAT(error_of("csv", "t.csv", "Frage,answer\nWas?,Ja."),
              HasSubstr("t.csv:1: no column is headed question; name it with --column"));
  EXPECT_THAT(error_of("csv", "t.csv", "question;answer\nWas?;Ja."), HasSubstr("semicolons"));
  EXPECT_THAT(error_of("csv", "t.csv", "question\nx", {.columns = {{"answer", "Antwort"}}}),
              HasSubstr("no column is headed \"Antwort\""));
  EXPECT_THAT(error_of("csv", "t.csv", "question\nx", {.columns = {{"reply", "x"}}}),
              HasSubstr("--column: \"reply\" is not one of"));
  EXPECT_THAT(error_of("csv", "t.csv", "question,question\nx,y"), HasSubstr("two columns hold"));
  EXPECT_THAT(error_of("csv", "t.csv", "question,A,B,answer\nx,y,z,no\nx,,z,B\nx,y\n,y,z,A"),
              testing::AllOf(HasSubstr("t.csv:2: answer: neither the letter nor the text"),
                             HasSubstr("t.csv:3: B: an option before it is empty"),
                             HasSubstr("t.csv:4: 2 columns, the header has 4"),
                             HasSubstr("t.csv:5: question: missing")));
}

TEST_F(Import, IdsThatComeTwiceAreADefect) {
  EXPECT_THAT(error_of("csv", "t.csv", "id,question,answer\nx,Q?,A.\nx,R?,B."),
              HasSubstr("t.csv:3: id: \"x\" is that of " + (directory_ / "t.csv") + ":2"));
}

TEST_F(Import, OfNothingIsADefect) {
  EXPECT_THAT(error_of("alpaca", "a.json", "[]"), HasSubstr("no records"));
  EXPECT_THAT(error_of("csv", "t.csv", "question\nQ?"),
              testing::AllOf(HasSubstr("1 record without an answer and no other"),
                             HasSubstr("--keep-unanswered")));
  EXPECT_THAT(error_of("alpaca", "a.json", "[{"), HasSubstr("a.json:1:"));
  EXPECT_THAT(error_of("squad", "a.json", "[]"), HasSubstr("is not one of auto, medquad, "));
  EXPECT_THAT(error_of("alpaca", "a.json", "[]", {.first_option = 1}),
              HasSubstr("only format medmcqa"));
}

TEST_F(Import, OnlyTheFirstDefectsAreTold) {
  std::string records;
  for (int i = 0; i < 30; ++i) records += "{}\n";
  const std::string error = error_of("alpaca", "a.jsonl", records);
  EXPECT_THAT(error, HasSubstr("30 defects"));
  EXPECT_THAT(error, HasSubstr("a.jsonl:20: "));
  EXPECT_THAT(error, Not(HasSubstr("a.jsonl:21: ")));
  EXPECT_THAT(error, HasSubstr("and 10 others"));
}

TEST_F(Import, FormatsAreDetectedWhereThereIsNoDoubt) {
  const auto detect = [&](const std::string& bytes) {
    try {
      return detect_import_format(directory_.write("file", bytes));
    } catch (const InputError& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return std::string(error.what());
    }
  };
  EXPECT_EQ(detect(kDocument), "medquad");
  EXPECT_EQ(detect(kLiveqaTraining), "liveqa");
  EXPECT_EQ(detect(R"({"1": {"QUESTION": "Q?", "CONTEXTS": []}})"), "pubmedqa");
  EXPECT_EQ(detect("{\n \"1\": {\"QUESTION\": \"Q?\", \"CONTEXTS\": []}}"), "pubmedqa");
  EXPECT_EQ(detect(R"({"question": "Q?", "options": {}, "answer_idx": "A"})"), "medqa");
  EXPECT_EQ(detect(medmcqa("x", "1")), "medmcqa");
  EXPECT_EQ(detect(R"({"Question": "Q?", "Must_have": []})"), "kqa");
  EXPECT_EQ(detect(R"([{"instruction": "Q?", "output": ""}])"), "alpaca");
  EXPECT_EQ(detect(R"({"messages": []})"), "messages");
  EXPECT_THAT(detect("question,answer\nQ?,A."), HasSubstr("not known from its content"));
  EXPECT_THAT(detect(R"({"question": "Q?"})"), HasSubstr("not those of one format"));
  EXPECT_THAT(detect("[]"), HasSubstr("no record"));
  EXPECT_THAT(detect(R"({"messages": [], "instruction": "", "output": ""})"),
              HasSubstr("not those of one format"));
  EXPECT_EQ(import_formats().size(), 10u);
}

}  // namespace
}  // namespace prescript
