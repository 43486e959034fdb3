#include "exemplars/identifiers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prescript {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using enum IdentifierKind;

std::vector<IdentifierKind> kinds(std::string_view text) {
  std::vector<IdentifierKind> found;
  for (const Identifier& identifier : find_identifiers(text)) found.push_back(identifier.kind);
  return found;
}

struct Case {
  IdentifierKind kind;
  const char* text;
};

class Found : public testing::TestWithParam<Case> {};

TEST_P(Found, AsItsKindAndNoOther) {
  EXPECT_THAT(kinds(std::string("Seen: ") + GetParam().text + ". Well since."),
              ElementsAre(GetParam().kind))
      << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(Identifiers,
                         Found,
                         testing::Values(Case{kEmailAddress,
                                              "write to ann.lee+x@ward.hospital.example"},
                                         Case{kWebAddress, "https://hospital.example/p?id=3"},
                                         Case{kWebAddress, "www.hospital.example"},
                                         Case{kIpAddress, "from 192.168.17.4"},
                                         Case{kPhoneNumber, "(212) 555-0187"},
                                         Case{kPhoneNumber, "212-555-0187"},
                                         Case{kPhoneNumber, "212.555.0187"},
                                         Case{kPhoneNumber, "1-800-222-1222"},
                                         Case{kPhoneNumber, "1-800-4-CANCER"},
                                         Case{kPhoneNumber, "+44 20 7946 0958"},
                                         Case{kPhoneNumber, "+49 30 901820"},
                                         Case{kPhoneNumber, "020 7946 0958"},
                                         Case{kPhoneNumber, "07700 900123"},
                                         Case{kPhoneNumber, "call 5550187"},
                                         Case{kPhoneNumber, "phone: 555 01 87 22"},
                                         Case{kDateOfBirth, "DOB: 03/04/1961"},
                                         Case{kDateOfBirth, "born on 3 April 1961"},
                                         Case{kDateOfBirth, "Date of birth 1961-04-03"},
                                         Case{kDate, "2024-02-29"},
                                         Case{kDate, "29.02.2024"},
                                         Case{kDate, "2/29/24"},
                                         Case{kDate, "on the 3rd of March 2024"},
                                         Case{kDate, "March 3rd, 2024"},
                                         Case{kDate, "12-Dec-2023"},
                                         Case{kAgeOver89, "a 93-year-old man"},
                                         Case{kAgeOver89, "101 years old"},
                                         Case{kAgeOver89, "patient aged 93, male"},
                                         Case{kAgeOver89, "age: 95"},
                                         Case{kAgeOver89, "at the age of 91"},
                                         Case{kAgeOver89, "in her late 90s"},
                                         Case{kAgeOver89, "in his nineties"},
                                         Case{kRecordNumber, "passport number X1234567"},
                                         Case{kPhoneNumber, "Tel. 030 / 1234567"},
                                         Case{kRecordNumber, "MRN 00451287"},
                                         Case{kRecordNumber, "patient ID: AB-44712"},
                                         Case{kRecordNumber, "hospital number is 4471299"},
                                         Case{kSocialSecurity, "219-09-9999"},
                                         Case{kNhsNumber, "943 476 5919"},
                                         Case{kNhsNumber, "9434765919"},
                                         Case{kNameWithTitle, "Mrs. Miller"},
                                         Case{kNameWithTitle, "Dr J. O'Brien"},
                                         Case{kNameWithTitle, "Prof. von Müller"},
                                         Case{kPostalAddress, "221B Baker Street"},
                                         Case{kPostalAddress, "Bethesda, MD 20892"},
                                         Case{kPostalAddress, "SW1A 1AA"}));

class NotFound : public testing::TestWithParam<const char*> {};

TEST_P(NotFound, WhatIsMedicineOrPlainText) {
  EXPECT_THAT(kinds(GetParam()), IsEmpty()) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(
    Identifiers,
    NotFound,
    testing::Values(
        "Amoxicillin 500 mg every 8 hours for 5-7 days, 1-2-1, at most 3 x 1000 mg/day.",
        "Platelets 150,000-400,000/mm3, Na 135-145, K 3.5-5.0, pH 7.35-7.45.",
        "BP 120/80, HR 72, RR 16, T 37.2, SpO2 98 %, GCS 15/15, 20/40 vision.",
        "Glucose 126 mg/dL, LDL 100-129, HbA1c 6.5%, INR 2.0-3.0, TSH 0.4 - 4.0.",
        "A 45-year-old man, gravida 3, para 2, 90 kg, 1.75 m, since 2019 and in May.",
        "Codes I10, E11.9, J45.909, T4 levels and B12 5 MG tablets; CD4 200 cells.",
        "Numbers 943 476 5918 and 9434765918 whose check digit is wrong.",
        "Numbers 000-12-3456, 666-12-3456, 912-12-3456, 219-00-9999 and 219-09-0000.",
        "Ranges 20-30-400 and 100-200-300, ratios 1:200:3000, 0.9 % saline 250 500 1000 ml.",
        "Version 1.2.3.456, addresses 300.1.1.1, sections 1.2.10 and 4.5.",
        "The doctor saw Miss or Mr. somebody; a Dr. may say MS and MR imaging.",
        "Dates 31/13/2024 and 2024-13-01, the year 2024, March 2024, 3 March.",
        "10 mg per day by the way, 5 St. John's wort tablets, ages 90-95 and 89-year-old.",
        "Call 911 or 112 at once; phone 111.",
        "Dosage 90 mg, average 95, at age 9.5, aged 19 or 89, in the 90s, pages 90 to 110.",
        "DNA 5'-ACGT-3', 0.05 < p, 2-3/4 cups, 10^9/L, 24/7, 1/2/3 times."));

TEST(Identifiers, StandWhereTheyStand) {
  const std::string text = "\u00e9\u00e9 Mr Lee, 2024-02-29.";
  EXPECT_THAT(find_identifiers(text),
              ElementsAre(Identifier{kNameWithTitle, 5, 11}, Identifier{kDate, 13, 23}));
  EXPECT_EQ(text.substr(5, 6), "Mr Lee");
}

TEST(Identifiers, ALongTextIsSearchedInLittleTime) {
  std::string text;
  while (text.size() < 400'000) text += "a1.-@(0 ";
  EXPECT_THAT(find_identifiers(text), IsEmpty());
  EXPECT_THAT(find_identifiers(std::string(400'000, '1')), IsEmpty());
  EXPECT_THAT(find_identifiers(std::string(400'000, 'A')), IsEmpty());
}

}  // namespace
}  // namespace prescript
